#!/bin/sh
# The plugin NAME: counts the rows of data. One call a line comes in, one answer a line goes out.
echo '{"hello": {"protocol": 1}}'
while IFS= read -r line; do
    case $line in *'"cancel"'*) continue ;; esac
    field() { printf '%s\n' "$line" | sed "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/"; }
    rows=$(sed 's/.*"rows":\([0-9]*\).*/\1/' "$(field dir)/data.json")
    value=$(awk "BEGIN { print $rows * $(field weight) }")
    echo "{\"call\": $(field call), \"done\": {\"rows\": [{\"metric\": \"rows\", \"value\": $value}]}}"
done
