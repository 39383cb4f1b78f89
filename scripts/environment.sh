# Makes and updates the environment in .venv; sourced by scripts/lab and scripts/test.
# Usage: make_environment EXTRAS   (EXTRAS such as "" or "[test]")

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "Studio needs Python 3.11 or newer. Install it, or name one: PYTHON=/path/to/python $0" >&2
  return 1
}

make_environment() {
  local extras=$1 python wanted
  local stamp=.venv/installed${extras//[^a-z]/}
  if [ ! -x .venv/bin/python ]; then
    python=$(find_python)
    echo "Making the environment in .venv with $("$python" --version) …"
    "$python" -m venv .venv
  fi
  # An editable install sees changed code; only changed packaging needs a new install.
  wanted=$(cat pyproject.toml jupyter-config/*/*.json labextension/built/package.json 2>/dev/null | cksum)
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing Studio$extras …"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".$extras"
    echo "$wanted" >"$stamp"
  fi
}
