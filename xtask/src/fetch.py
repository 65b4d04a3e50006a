"""Fetches an archive of PyPI, compares its SHA-256, and unpacks a part of it: URL SHA256 PART FOLDER."""

import hashlib, io, sys, tarfile, urllib.request, zipfile
url, sha256, part, folder = sys.argv[1:]
content = urllib.request.urlopen(url, timeout=600).read()
found = hashlib.sha256(content).hexdigest()
if found != sha256:
    sys.exit(f"{url} has the SHA-256 {found}; expected was {sha256}")
if url.endswith(".whl"):
    zipfile.ZipFile(io.BytesIO(content)).extract(part, folder)
else:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        inside = [member for member in archive if member.name.startswith(part + "/")]
        archive.extractall(folder, inside)
