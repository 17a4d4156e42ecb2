#!/bin/sh
# Answers with the number of the member, after a hundredth of a second.
echo '{"hello": {"protocol": 1}}'
while IFS= read -r line; do
    field() { printf '%s\n' "$line" | sed "s/.*\"$1\":\([0-9]*\).*/\1/"; }
    sleep 0.01
    echo "{\"call\": $(field call), \"done\": {\"rows\": [{\"metric\": \"m\", \"value\": $(field member)}]}}"
done
