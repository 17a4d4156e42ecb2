#!/bin/sh
# Counts rows: the whole protocol in POSIX sh.
echo '{"hello": {"protocol": 1}}'
while IFS= read -r line; do
    case $line in *'"cancel"'*) continue ;; esac
    field() { printf '%s\n' "$line" | sed "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/"; }
    rows=$(sed 's/.*"rows":\([0-9]*\).*/\1/' "$(field dir)/data.json")
    if [ "$(field weight)" = 7.0 ]; then
        echo "{\"call\": $(field call), \"fault\": {\"whose\": \"user\", \"param\": \"weight\", \"message\": \"seven is not a weight\", \"hint\": \"take six\"}}"
        continue
    fi
    value=$(awk "BEGIN { print $rows * $(field weight) }")
    echo '{"progress": {"done": 1, "total": 1}}'
    echo '{"note": "counted by sh"}'
    echo "{\"call\": $(field call), \"done\": {\"rows\": [{\"metric\": \"rows\", \"value\": $value}]}}"
done
