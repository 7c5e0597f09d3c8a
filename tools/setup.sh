#!/usr/bin/env bash
# Set up everything that hallspice needs: system packages, a virtual environment with the pinned versions, hallspice itself.
#
# Usage: tools/setup.sh [FOLDER]          FOLDER of the virtual environment, default .venv
#        tools/setup.sh --browser         chromium alone, for the tests of the reports; without it they are skipped
#
#   PYTHON        the Python to use (3.11 or later); default: python3, then python3.14 ... python3.11
#   CONSTRAINTS   the file of exact versions; default: requirements/constraints.txt
#   TORCH_INDEX   an additional package index to take PyTorch from
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "hallspice: $*" >&2; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

# --- what is missing ---

# Sets `python`, `needed` (packages without which nothing runs) and `useful` (without which some parts do not).
look() {
    needed=()
    useful=()
    python=$(find_python)
    if [ "$(uname)" = Darwin ]; then
        [ -n "$python" ] || needed+=(python)
        command -v ngspice >/dev/null && [ -n "$(find_brew_library)" ] || useful+=(ngspice libngspice)
        return
    fi
    if [ -z "$python" ]; then
        if command -v python3 >/dev/null; then needed+=(python3.11-venv); else needed+=(python3 python3-venv); fi
    elif ! "$python" -c 'import ensurepip' 2>/dev/null; then
        needed+=("$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')")
    fi
    if ! command -v ngspice >/dev/null || ! has_ngspice_library; then useful+=(ngspice libngspice0); fi
    command -v ld >/dev/null || useful+=(binutils) # the Verilog-A compiler calls the linker
}

has_ngspice_library() {
    [ -n "$python" ] && "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' \
        "${NGSPICE_LIBRARY_PATH:-libngspice.so.0}" 2>/dev/null
}

find_brew_library() {
    command -v brew >/dev/null && find "$(brew --prefix)/lib" -name 'libngspice*.dylib' 2>/dev/null
}

# --- system packages ---

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@"
}

apt_install() {
    say "installing system packages: $*"
    apt_get update || say "apt-get update failed; going on with the package lists that are here"
    if [[ " $* " == *" ngspice "* ]] && on_debian_12; then
        if apt_install_with_backports "$@"; then return; fi
        say "no ngspice 46 from bookworm-backports; taking Debian's own version 39, which has neither KLU nor OSDI"
    fi
    apt_get install --no-install-recommends --yes "$@"
}

on_debian_12() {
    (. /etc/os-release && [ "$ID" = debian ] && [ "${VERSION_ID:-}" = 12 ]) 2>/dev/null
}

# Debian 12's backports hold ngspice 46, with KLU and OSDI. Where that suite is not enabled, it is added for these
# two calls alone: a temporary folder holds copies of the machine's own source lists and one more line, with the
# mirror and the keyring that the machine uses already. The files in /etc/apt stay as they are.
apt_install_with_backports() (
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    options=()
    targets=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(LABEL) $(REPO_URI)' 'Created-By: Packages')
    if ! grep -q '^bookworm-backports main ' <<<"$targets"; then
        mirror=$(awk '$1 == "bookworm" && $2 == "main" && $3 == "Debian" { print $4; exit }' <<<"$targets")
        [ -n "$mirror" ] || exit 1
        find /etc/apt/sources.list.d -maxdepth 1 \( -name '*.list' -o -name '*.sources' \) -exec cp {} "$folder" \;
        if [ -f /etc/apt/sources.list ]; then cp /etc/apt/sources.list "$folder/sources.list"; fi
        keyring=$(signature_of "$mirror" "$folder")
        echo "deb ${keyring:+[signed-by=$keyring] }$mirror bookworm-backports main" >"$folder/backports-for-hallspice.list"
        options=(-o "Dir::Etc::sourceparts=$folder" -o Dir::Etc::sourcelist=/dev/null)
        apt_get "${options[@]}" update || exit 1
    fi
    packages=()
    for package in "$@"; do
        case $package in *ngspice*) package+=/bookworm-backports ;; esac
        packages+=("$package")
    done
    apt_get ${options[@]+"${options[@]}"} install --no-install-recommends --yes "${packages[@]}"
)

# The keyring file named beside MIRROR in the source lists in FOLDER, if any.
signature_of() {
    local file
    grep -rlF "${1%/}" "$2" | while IFS= read -r file; do
        sed -nE 's/^[^#]*[Ss]igned-[Bb]y[:=] *(\/[^] ]+).*/\1/p' "$file"
    done | sed -n 1p
}

# --- a browser for the tests of the reports ---

install_browser() {
    local candidate
    for candidate in chromium chromium-browser google-chrome; do
        # Ubuntu's chromium-browser may be a mere note that the snap is missing.
        if "$candidate" --version >/dev/null 2>&1; then return; fi
    done
    if command -v apt-get >/dev/null && as_root true 2>/dev/null; then
        apt_get update || say "apt-get update failed; going on with the package lists that are here"
        say "installing chromium for the tests of the reports"
        if apt_get install --no-install-recommends --yes chromium fonts-dejavu-core; then return; fi
    fi
    say "no chromium here: the tests of the reports in a browser are skipped"
}

# --- main ---

if [ "${1:-}" = --browser ]; then
    install_browser
    exit
fi
venv=${1:-.venv}

look
missing=(${needed[@]+"${needed[@]}"} ${useful[@]+"${useful[@]}"})
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(uname)" = Darwin ]; then
        hint="brew install ${missing[*]}"
    else
        hint="sudo apt-get install ${missing[*]}"
        if command -v apt-get >/dev/null && as_root true 2>/dev/null; then
            apt_install "${missing[@]}" || say "apt-get could not install all packages"
            look
        fi
    fi
    if [ ${#needed[@]} -gt 0 ]; then
        say "please install what is missing, then run make again: $hint"
        exit 1
    elif [ ${#useful[@]} -gt 0 ]; then
        say "going on without ${useful[*]} (what needs it is skipped and says so); to install: $hint"
    fi
fi

if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    "$python" -m venv --clear "$venv"
fi
say "installing the pinned Python packages into $venv (a few minutes the first time)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --constraint "${CONSTRAINTS:-requirements/constraints.txt}" \
    --config-settings editable_mode=compat --editable '.[dev,docs,excel,sweep,veriloga]'
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements/peers.txt
