# A Postgres cluster that lives as long as this script's standard input is open: whoever started it may end in any
# way. Usage: sh cluster.sh BIN DIR [SETTINGS]; then commands, one a line, each answered by a line.
bin=$1 dir=$2
shift 2
trap '' INT TERM HUP

start() {
    "$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= "$@" >>"$dir/log" 2>&1 </dev/null &
    pid=$!
}

"$bin/initdb" -D "$dir/data" -U mana_admin -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 </dev/null || exit 1
start "$@"
while read -r word; do
    case $word in
    # As a power cut: nobody says goodbye, and nobody is left who holds the shared memory. Stopped first, so that no
    # child is born while they are counted.
    kill)
        kill -STOP "$pid"
        until grep -q '^State:.[TZ]' "/proc/$pid/status"; do sleep 0.01; done
        all=$(cat "/proc/$pid/task/$pid/children")
        kill -KILL "$pid" $all
        wait "$pid" 2>/dev/null
        for one in $all; do
            # A zombie has let go of the shared memory; one whose `exe` is gone may not have yet.
            while grep -q '^State:.[^XZ]' "/proc/$one/status" 2>/dev/null; do sleep 0.01; done
        done ;;
    stop) kill -INT "$pid"; wait "$pid" 2>/dev/null ;;
    start) start "$@" ;;
    esac
    echo "$word"
done
kill -QUIT "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
rm -rf "$dir"/* "$dir"
