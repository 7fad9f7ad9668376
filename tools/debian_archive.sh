# debian_archive.sh: for the scripts that fetch from Debian, which source it. apt works in a state of its own, in the
# folder $work: nothing is installed, no root is needed, and the archive's signatures are checked as always.
# shellcheck shell=sh

# prepare_apt ARCH: an apt configuration that is not the system's.
prepare_apt() {
  for tool in apt-get apt-config dpkg-deb; do
    command -v "$tool" >/dev/null || fail "$tool is not on this machine, so nothing can be fetched from Debian."
  done
  mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/empty"
  : >"$work/status"
  # Of the machine's apt configuration only what concerns the transport (proxies, certificates) is taken: its hooks and
  # folders belong to the system. APT_CONFIG is read first, so that it can turn the other files away.
  {
    apt-config dump | grep '^Acquire::' || true
    cat <<CONFIG
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "$work/empty";
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "$work/empty";
Dir::State "$work";
Dir::State::Lists "$work/lists";
Dir::State::Status "$work/status";
Dir::Cache "$work";
Dir::Cache::Archives "$work/archives";
Dir::Log "$work";
APT::Architecture "$1";
APT::Architectures "$1";
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Debug::NoLocking "true";
CONFIG
  } >"$work/apt.conf"
  export APT_CONFIG="$work/apt.conf"
}

# Every archive of the machine's apt sources with a component "main", as "URI KEYRING": one-line and deb822 files.
# Which of them carries the suite is found by asking them.
list_archives() {
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -f "$file" ] || awk '
      $1 == "deb" {
        line = $0; key = ""
        if (match(line, /signed-by=[^] ]+/)) key = substr(line, RSTART + 10, RLENGTH - 10)
        sub(/^deb[ \t]+(\[[^]]*\])?[ \t]*/, "", line); n = split(line, field, /[ \t]+/)
        for (i = 3; i <= n; i++) if (field[i] == "main") print field[1], key
      }' "$file"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$file" ] || awk '
      function flush(   i, n, uri) {
        if (main && binary && enabled) { n = split(uris, uri, " "); for (i = 1; i <= n; i++) print uri[i], key }
        uris = key = ""; main = 0; binary = enabled = 1
      }
      BEGIN { binary = enabled = 1 }
      /^[ \t]*$/ { flush(); next }
      /^#/ { next }
      /^[^ \t]/ { name = tolower($1); $1 = "" }
      name == "uris:" { uris = uris " " $0 }
      name == "signed-by:" && $0 ~ /^[ \t]*\// { key = $1 }
      name == "components:" && $0 ~ /(^|[ \t])main([ \t]|$)/ { main = 1 }
      name == "types:" && $0 !~ /(^|[ \t])deb([ \t]|$)/ { binary = 0 }
      name == "enabled:" && $0 ~ /no|false/ { enabled = 0 }
      END { flush() }' "$file"
  done
}

# find_archive deb|deb-src SUITE PACKAGE VERSION: leaves the package's whole version in $found, of the first archive
# whose version begins with the one asked for.
find_archive() {
  if [ -n "${DEBIAN_MIRROR:-}" ]; then
    printf '%s\n' "$DEBIAN_MIRROR " >"$work/archives.txt"
  else
    list_archives | grep -v -e security -e '^cdrom:' | awk '!seen[$0]++' >"$work/archives.txt" || true
  fi
  [ -s "$work/archives.txt" ] || fail "no Debian mirror stands in /etc/apt: set DEBIAN_MIRROR to one."
  if [ "$1" = deb ]; then asking="show --no-all-versions"; else asking="showsrc --only-source"; fi
  found=
  while read -r uri key; do
    case $uri in *raspbian*) distributor=raspbian ;; *) distributor=debian ;; esac
    key=${key:-/usr/share/keyrings/$distributor-archive-keyring.gpg}
    if [ -f "$key" ]; then options=" [signed-by=$key]"; else options=; fi
    echo "$1$options $uri $2 main" >"$work/sources.list"
    apt-get -qq update >>"$work/apt.log" 2>&1 || continue
    # shellcheck disable=SC2086  (a command and its option)
    candidate=$(apt-cache $asking "$3" 2>>"$work/apt.log" | sed -n 's/^Version: //p')
    case $candidate in
      "$4".*) found=$candidate; return ;;
      *) echo "$uri: has $3 '$candidate', and $4 is needed" >>"$work/apt.log" ;;
    esac
  done <"$work/archives.txt"
  tail -n 8 "$work/apt.log" >&2
  fail "none of $(cut -d ' ' -f 1 "$work/archives.txt" | tr '\n' ' ')gave $3 $4: is the network reachable? DEBIAN_MIRROR names another mirror."
}
