#!/bin/bash
# Installs what building and testing docket needs, on Debian 12 and its kin. Says what it installs and why; does nothing, and says
# nothing, when all is there. Groups beyond the ordinary one: --lint, --tools, --oracle. --runtime: only what the built program needs.
# --list prints the package names of the groups and ends.
set -euo pipefail

# package | how to see that it is there | what it is for
BUILD='
gcc                   | command -v gcc                    | compiles docket
make                  | command -v make                   | runs the build
pkg-config            | command -v pkg-config             | finds the libraries below
libc6-dev             | has_header stdio.h                | headers of the C library
libcurl4-openssl-dev  | pkg-config --exists libcurl       | HTTPS to the queue
libcjson-dev          | pkg-config --exists libcjson      | JSON, behind our own strict gate
libarchive-dev        | pkg-config --exists libarchive    | archives
libpcre2-dev          | pkg-config --exists libpcre2-8    | split patterns of tokenizers
libutf8proc-dev       | pkg-config --exists libutf8proc   | Unicode normalization
libseccomp-dev        | pkg-config --exists libseccomp    | which system calls a reader of documents may make
libmagic-dev          | pkg-config --exists libmagic      | types of files
libssl-dev            | pkg-config --exists libcrypto     | hashes
zlib1g-dev            | pkg-config --exists zlib          | streams of PDF
libexpat1-dev         | pkg-config --exists expat         | XML of office documents
libgumbo-dev          | pkg-config --exists gumbo         | web pages
libgmime-3.0-dev      | pkg-config --exists gmime-3.0     | e-mail
libgsf-1-dev          | pkg-config --exists libgsf-1      | Outlook messages, old presentations
libuchardet-dev       | pkg-config --exists uchardet      | charsets of texts that do not say theirs
'
TESTS='
poppler-utils         | command -v pdftotext              | reads PDF, in a box
poppler-data          | test -d /usr/share/poppler/cMap   | PDF in Chinese, Japanese and Korean
tesseract-ocr         | command -v tesseract              | reads images, in a box
tesseract-ocr-eng     | test -n "$(ls /usr/share/tesseract-ocr/*/tessdata/eng.traineddata)" | images in English
libexttextcat-data    | test -e /usr/share/libexttextcat/en.lm | languages of texts
catdoc                | command -v catdoc                 | reads Word and workbooks of before 2007, in a box
unrtf                 | command -v unrtf                  | reads RTF, in a box
libcmocka-dev         | pkg-config --exists cmocka        | unit tests in C
python3               | test -x /usr/bin/python3          | the test queue and the integration tests
python3-pytest        | /usr/bin/python3 -c "import pytest" | runs the integration tests
openssl               | command -v openssl                | throw-away certificates of the test queue
ca-certificates       | test -d /etc/ssl/certs            | roots for HTTPS
'
LINT='
clang                 | command -v clang                  | the second compiler; fuzzing
libclang-rt-dev       | test -n "$(ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a 2>/dev/null)" | what fuzzing links
clang-format          | command -v clang-format           | one layout for all code
clang-tidy            | command -v clang-tidy             | static analysis
cppcheck              | command -v cppcheck               | static analysis
'
TOOLS='
valgrind              | command -v valgrind               | leak check of whole runs
strace                | command -v strace                 | kills and failures at chosen system calls
'
ORACLE='
python3-venv          | /usr/bin/python3 -c "import ensurepip" | a place for the outside judges
'
RUNTIME='
libcurl4              | false                             | HTTPS to the queue
libcjson1             | false                             | JSON
libarchive13          | false                             | archives
libpcre2-8-0          | false                             | split patterns of tokenizers
libutf8proc2          | false                             | Unicode normalization
libseccomp2           | false                             | which system calls a reader of documents may make
libmagic1             | false                             | types of files
libmagic-mgc          | false                             | types of files, the database
poppler-utils         | false                             | reads PDF, in a box
poppler-data          | false                             | PDF in Chinese, Japanese and Korean
tesseract-ocr         | false                             | reads images, in a box
tesseract-ocr-eng     | false                             | images in English; others by their packages and OCR_LANGUAGES
libexttextcat-data    | false                             | languages of texts
catdoc                | false                             | reads Word and workbooks of before 2007, in a box
unrtf                 | false                             | reads RTF, in a box
libssl3               | false                             | hashes
zlib1g                | false                             | streams of PDF
libexpat1             | false                             | XML of office documents
libgumbo1             | false                             | web pages
libgmime-3.0-0        | false                             | e-mail
libgsf-1-114          | false                             | Outlook messages, old presentations
libuchardet0          | false                             | charsets of texts that do not say theirs
ca-certificates       | false                             | roots for HTTPS
'

rows=$BUILD$TESTS
list=no
for argument in "$@"; do
    case $argument in
    --lint) rows+=$LINT ;;
    --tools) rows+=$TOOLS ;;
    --oracle) rows+=$ORACLE ;;
    --build) rows=$BUILD ;;
    --runtime) rows=$RUNTIME ;;
    --list) list=yes ;;
    *) echo "usage: $0 [--build|--runtime] [--lint] [--tools] [--oracle] [--list]" >&2; exit 64 ;;
    esac
done

has_header() { echo "#include <$1>" | gcc -E - >/dev/null 2>&1; }

trim() { local text=$1; text=${text#"${text%%[![:space:]]*}"}; echo "${text%"${text##*[![:space:]]}"}"; }

missing=()
reasons=()
while IFS='|' read -r package check why; do
    package=$(trim "$package")
    [ -n "$package" ] || continue
    if [ $list = yes ]; then
        echo "$package"
    elif ! eval "$check" >/dev/null 2>&1; then
        missing+=("$package")
        reasons+=("$(trim "$why")")
    fi
done <<<"$rows"
[ ${#missing[@]} -gt 0 ] || exit 0

echo "docket needs ${#missing[@]} more packages:"
for i in "${!missing[@]}"; do printf '  %-22s %s\n' "${missing[$i]}" "${reasons[$i]}"; done

if ! command -v apt-get >/dev/null 2>&1; then
    system=$(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-}" || true)
    echo "error: no apt-get on this system (${system:-unknown}); only Debian 12 and its kin are installed on by this script." >&2
    echo "Install the equivalents of the packages above and run the command again." >&2
    exit 69
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "error: neither root nor sudo. As root, run: apt-get install ${missing[*]}" >&2
        exit 77
    fi
    as_root=(sudo)
    echo "(with sudo)"
fi

apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@"; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT

refresh() {
    echo "refreshing the package index"
    apt update >"$log" 2>&1 || { tail -n 15 "$log" >&2; echo "error: apt-get update failed; is there a network?" >&2; exit 69; }
}

install() { apt install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; }

known() { for package in "${missing[@]}"; do apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || return 1; done; }

fresh=no
if ! known; then
    refresh
    fresh=yes
fi
echo "installing"
if ! install; then
    # An old index names versions that the mirror no longer has.
    if [ $fresh = no ] && refresh && install; then
        :
    else
        tail -n 25 "$log" >&2
        echo "error: apt-get install failed" >&2
        exit 69
    fi
fi
echo "installed ${#missing[@]} packages"
