#!/bin/sh
# A plugin that does what its argument `mode` says, most of it wrong.
case $0 in *old*) echo '{"hello": {"protocol": 9}}' ;; *) echo '{"hello": {"protocol": 1}}' ;; esac
say() { echo "{\"call\": $call, $1}"; }
score() { say "\"done\": {\"rows\": [{\"metric\": \"m\", \"value\": $1}]}"; }
while IFS= read -r line; do
    case $line in *'"cancel"'*) continue ;; esac
    call=$(printf '%s\n' "$line" | sed 's/^{"call":\([0-9]*\).*/\1/')
    mode=$(printf '%s\n' "$line" | sed 's/.*"mode":"\([^"]*\)".*/\1/')
    dir=$(printf '%s\n' "$line" | sed 's/.*"dir":"\([^"]*\)".*/\1/')
    case $mode in
        good) score 1 ;;
        dies) echo 'about to end' >&2; exit 3 ;;
        dies_once) if [ -e "$PWD/once" ]; then score 1; else : > "$PWD/once"; kill -9 $$; fi ;;
        hangs) sleep 600 & echo $! > "$PWD/child"; wait ;;
        prints) echo 'hello there' ;;
        floods) yes '{"progress": {"done": 1, "total": 2}}' | head -n 20000; yes | head -c 3000000 >&2; score 1 ;;
        notes) yes '{"note": "again"}' | head -n 1000 ;;
        endless) echo '{"done": {"rows": [' ;;
        no_result) say '"done": true' ;;
        other) say '"done": {"lines": []}' ;;
        numberless) echo '{"done": true}' ;;
        again) score 1; score 2 ;;
        late) call=$((call + 1)); score 1 ;;
        strange) echo '{"progress": {"done": "half"}}' ;;
        wrong_row) say '"done": {"rows": [{"metric": "m", "value": 1}, {"metric": 2, "value": 1}]}' ;;
        nan) score NaN ;;
        huge) dd if=/dev/zero of="$dir/result.safetensors" bs=1048576 count=3 2>/dev/null; say '"done": {"rows": []}' ;;
        stays) sleep 600 & echo $! > "$PWD/child"; score 1 ;;
        bug) printf 'first line\nsecond line\n' >&2; sleep 0.1; say '"fault": {"whose": "bug", "message": "division by zero"}' ;;
    esac
done
