#!/usr/bin/env bash
# group.sh FARCAST - two users of one group share a folder, whatever their umask; a third may not.
# Makes the users for as long as it runs: exits with 77 for those who may not.
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v useradd >/dev/null && command -v setpriv >/dev/null || exit 77
base="$(mktemp -d /tmp/farcast-group.XXXXXX)" # where all users get
id="$$"
group="fcg$id" people=("fca$id" "fcb$id" "fcc$id")
leave() {
    for who in "${people[@]}"; do userdel "$who" 2>/dev/null || true; done
    groupdel "$group" 2>/dev/null || true
    rm -rf "$base"
}
trap leave EXIT
groupadd "$group"
for who in "${people[@]}"; do useradd --no-create-home --no-user-group --gid nogroup "$who"; done
ada="${people[0]}" bob="${people[1]}" eve="${people[2]}"
for who in "$ada" "$bob"; do usermod --append --groups "$group" "$who"; done
cp "$1" "$base/farcast"
chmod 755 "$base" "$base/farcast"

# as USER UMASK COMMAND...: in the user's project.
as() {
    local who="$1" mask="$2"
    shift 2
    (cd "$base/$who" && umask "$mask" && exec setpriv --reuid="$who" --regid=nogroup --init-groups \
        env HOME="$base/$who" XDG_CONFIG_HOME="$base/$who/config" USER="$who" NO_COLOR=1 "$@")
}
wrong() { echo "$case: $*" >&2; exit 1; }
for who in "${people[@]}"; do
    mkdir "$base/$who"
    cat >"$base/$who/farcast.toml" <<END
[remote.team]
url = "$base/shared"
mode = "read-write"
trust = "writers"
END
    cat >"$base/$who/it.farcast" <<END
param width: Int = 3 in 1..=9
data all = synthetic(regime, rows: 400)
parent net = mlp(all, inputs: [x], target: y, hidden: [width], epochs: 2, members: 2)
score skill = compare(net, on: all)
END
    chown -R "$who" "$base/$who"
    as "$who" 022 ../farcast trust team 2>/dev/null
done

# share MODE: an empty folder of the group.
share() {
    rm -rf "$base/shared"
    mkdir "$base/shared"
    chown "$ada:$group" "$base/shared"
    chmod "$1" "$base/shared"
}
# finds USER UMASK WIDTH: the user's run computes nothing.
finds() {
    as "$1" "$2" ../farcast run it.farcast --set width="$3" --quiet --json >"$base/said" 2>"$base/notes"
    grep -q '"ran": *0' "$base/said" || wrong "$1 computed: $(cat "$base/said" "$base/notes")"
}
pushes() {
    as "$1" "$2" ../farcast run it.farcast --set width="$3" --quiet >/dev/null
    as "$1" "$2" ../farcast push last 2>"$base/said" || wrong "$1 may not push: $(cat "$base/said")"
}

for masks in "077 002" "002 077" "077 077" "022 022"; do
    case="umask $masks"
    read -r first second <<<"$masks"
    share 2770
    rm -rf "$base"/*/.farcast
    pushes "$ada" "$first" 3
    pushes "$bob" "$second" 4
    pushes "$ada" "$first" 5
    rm -rf "$base/$bob/.farcast" "$base/$ada/.farcast"
    finds "$bob" "$second" 3
    finds "$ada" "$first" 4
    finds "$bob" "$second" 5
    strays="$(find "$base/shared" ! -group "$group" -o -type f ! -perm 444 -o -type d ! -perm 2770)"
    [ -z "$strays" ] || wrong "modes: $(ls -ld $strays)"
    # Nobody outside the group gets in.
    as "$eve" 022 ../farcast run it.farcast --quiet >/dev/null 2>"$base/said" || wrong "a stranger's run fails"
    grep -q 'is away, and not looked at' "$base/said" || wrong "a stranger: $(cat "$base/said")"
    # What one has made another removes.
    as "$ada" 077 mkdir -p "$base/shared/objects/zz"
    as "$ada" 077 chmod 2770 "$base/shared/objects/zz"
    as "$ada" 077 sh -c "echo old >'$base/shared/objects/zz/old' && touch -d '8 days ago' '$base/shared/objects/zz/old'"
    as "$bob" "$second" ../farcast cache gc --remote team >"$base/said" 2>&1 || wrong "gc: $(cat "$base/said")"
    grep -q 'removed 1 file' "$base/said" || wrong "gc: $(cat "$base/said")"
    echo "$case: two users push and find, files 0444, folders 2770"
done

# Two that begin at once, into an empty folder.
case="at once"
for round in 1 2 3 4 5; do
    share 2770
    (as "$ada" 077 ../farcast push --all 2>"$base/ada.said" || cat "$base/ada.said" >"$base/failed") &
    (as "$bob" 077 ../farcast push --all 2>"$base/bob.said" || cat "$base/bob.said" >"$base/failed") &
    wait
    [ ! -e "$base/failed" ] || wrong "$(cat "$base/failed")"
done
echo "$case: 5 times, umask 077"

# A folder that the group may read only: runs use it, a push says why not.
case="read-only"
share 2770
pushes "$ada" 077 3
find "$base/shared" -type d -exec chmod 2750 {} +
rm -rf "$base/$bob/.farcast"
finds "$bob" 077 3
as "$bob" 077 ../farcast run it.farcast --set width=6 --quiet >/dev/null
if as "$bob" 077 ../farcast push last 2>"$base/said"; then wrong "bob wrote"; fi
grep -q 'you may not write to `team`' "$base/said" || wrong "$(cat "$base/said")"
echo "$case: $(sed "s|$base|BASE|" "$base/said")"
