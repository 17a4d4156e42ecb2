#!/bin/sh
# A plugin that does what its argument `mode` says, most of it wrong.
case $0 in *old*) echo '{"hello": {"protocol": 9}}' ;; *) echo '{"hello": {"protocol": 1}}' ;; esac
score() { echo "{\"done\": {\"rows\": [{\"metric\": \"m\", \"value\": $1}]}}"; }
while IFS= read -r line; do
    case $line in *'"cancel"'*) continue ;; esac
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
        no_result) echo '{"done": true}' ;;
        other) echo '{"done": {"lines": []}}' ;;
        nan) score NaN ;;
        huge) dd if=/dev/zero of="$dir/result.safetensors" bs=1048576 count=3 2>/dev/null; echo '{"done": {"rows": []}}' ;;
        stays) sleep 600 & echo $! > "$PWD/child"; score 1 ;;
        bug) echo '{"fault": {"whose": "bug", "message": "division by zero"}}' ;;
    esac
done
