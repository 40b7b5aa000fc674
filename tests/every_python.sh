#!/usr/bin/env bash
# Black-box tests over a wheel for every CPython 3.10 to 3.13 on this machine: those of pyenv, and those on the PATH.
# Says at the end which passed, which failed and which were not found. Ends with 0 when one was found and none failed.
# More arguments go to pytest: tests/every_python.sh -k counts
set -uo pipefail
cd "$(dirname "$0")/.."

VERSIONS=(3.10 3.11 3.12 3.13)
FOLDER=$PWD/target/pythons
passed=() failed=() missing=()

find_python() { # find_python 3.11: the newest interpreter of that version, or nothing
  local candidate
  {
    ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python 2>/dev/null | sort -rV
    command -v "python$1"
    command -v python3
  } | while read -r candidate; do
    if "$candidate" -c "import sys, venv, ensurepip; sys.exit(sys.implementation.name != 'cpython' or '%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

quietly() { # runs a command; shows what it said only where it failed
  local said
  said=$("$@" 2>&1) || { echo "$said" >&2; return 1; }
}

prepare() { # prepare PYTHON VENV WHEELS: a virtual environment with the tools of the tests and the wheel
  rm -rf "$2" "$3" &&
    quietly "$1" -m venv "$2" &&
    quietly "$2/bin/python" -m pip install --disable-pip-version-check -r requirements/build.txt -r requirements/dev.txt &&
    quietly "$2/bin/maturin" build --release --locked --interpreter "$2/bin/python" --out "$3" &&
    quietly "$2/bin/python" -m pip install --disable-pip-version-check --no-deps "$3"/*.whl
}

for version in "${VERSIONS[@]}"; do
  python=$(find_python "$version")
  if [ -z "$python" ]; then
    missing+=("$version")
    continue
  fi
  echo "== CPython $version: $python"
  venv=$FOLDER/$version
  if prepare "$python" "$venv" "$FOLDER/wheels-$version" && "$venv/bin/pytest" -q -p no:cacheprovider tests "$@"; then
    passed+=("$version")
  else
    failed+=("$version")
  fi
done

echo
echo "passed:    ${passed[*]:-none}"
echo "failed:    ${failed[*]:-none}"
if [ ${#missing[@]} -gt 0 ]; then
  echo "NOT FOUND, and so NOT TESTED: ${missing[*]} (install them with pyenv, or put python3.X on the PATH)"
fi
[ ${#passed[@]} -gt 0 ] && [ ${#failed[@]} -eq 0 ]
