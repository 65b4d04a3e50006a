"""Compares the occurrences of rules.jsonl with python-dateutil's, and counts the differences by their kind."""

import json
import re
import sys
import warnings
from collections import Counter
from datetime import datetime, timezone
from itertools import islice

from dateutil import tz
from dateutil.rrule import rrulestr

warnings.simplefilter("ignore")
HORIZON = datetime(2037, 1, 1)
MAX = 40


def kind(rule):
    """The name of a difference that is understood, or None."""
    days = re.search(r"BYDAY=([^;]*)", rule)
    signs = {bool(re.match(r"[-0-9]", day)) for day in days[1].split(",")} if days else set()
    if signs == {True, False}:
        return "numbered beside plain weekdays: dateutil wants both at once"
    if "FREQ=WEEKLY" in rule and "BYSETPOS" in rule:
        return "positions in the week of the start: dateutil counts from the start, not from the week's first day"
    numbers = re.search(r"BYWEEKNO=([^;]*)", rule)
    if numbers:
        return "weeks at a year's ends: dateutil knows the other year's weeks by fewer of their numbers"
    return None


def shown(at):
    text = at.strftime("%Y-%m-%dT%H:%M")
    return text


same, differences, never = 0, Counter(), 0
for line in open("rules.jsonl", encoding="utf-8"):
    case = json.loads(line)
    if "problem" in case:
        if case["problem"] != "never":
            sys.exit(f"a generated rule was refused: {case}")
        # Looking up to the year 9999 takes seconds, so that one in twenty is looked at.
        start = datetime.fromisoformat(case["start"])
        start = start.replace(tzinfo=tz.UTC) if "T" in case["start"] else start
        if never % 20 == 0 and next(iter(rrulestr(case["rule"], dtstart=start)), None) and kind(case["rule"]) is None:
            differences["NOT UNDERSTOOD"] += 1
            print(f"  never, but theirs does: {case}")
        never += 1
        continue
    all_day = "T" not in case["start"]
    start = datetime.fromisoformat(case["start"])
    zone = tz.gettz(case["zone"])
    if not all_day:
        start = start.replace(tzinfo=zone)
    rule = rrulestr(case["rule"], dtstart=start)
    found = []
    for at in islice(rule, MAX):
        if at.replace(tzinfo=None) >= HORIZON:
            break
        found.append(at)
    local = [at.strftime("%Y-%m-%d") if all_day else shown(at) for at in found]
    instants = [] if all_day else [
        int(tz.resolve_imaginary(at).astimezone(timezone.utc).timestamp() * 1000) for at in found
    ]
    if local == case["occurrences"] and instants == case["instants"]:
        same += 1
    else:
        name = kind(case["rule"]) or "NOT UNDERSTOOD"
        differences[name] += 1
        if name == "NOT UNDERSTOOD" or differences[name] <= int(sys.argv[1]):
            odd = next((pair for pair in zip(case["occurrences"], local) if pair[0] != pair[1]), None)
            print(f"  {case['rule']} from {case['start']} in {case['zone']}: ours {len(case['occurrences'])}, "
                  f"theirs {len(local)}, first different {odd}, {local == case['occurrences']}")
print(f"python-dateutil: {same} rules alike, {never} that never happen were left out")
for name, count in differences.most_common():
    print(f"  {count} differ: {name}")
sys.exit("NOT UNDERSTOOD" in differences)
