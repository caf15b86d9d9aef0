# Sourced by the scripts beside it: where things are and what must be there.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}
[ "$(id -u)" = 0 ] && as_root= || as_root='as root: '

say() { printf '\n== %s\n' "$*"; }

# need PROGRAM PACKAGE...: installs what is missing when root and told to (PLIMSOLL_INSTALL=1), else says how to.
need() {
  local missing=()
  while [ $# -gt 1 ]; do
    command -v "$1" >/dev/null || missing+=("$2")
    shift 2
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" = 0 ] && [ -n "${PLIMSOLL_INSTALL:-}" ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    return
  fi
  echo "missing packages; on Debian or Ubuntu, ${as_root}apt-get install ${missing[*]}" >&2
  exit 2
}

command -v cargo >/dev/null || [ ! -f "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
command -v cargo >/dev/null || { echo "Rust is missing: https://rustup.rs" >&2; exit 2; }

# Steps of a build trust what this machine trusts, so that it works behind proxies
# that intercept TLS; the image keeps no trace of it.
if [ -z "${PLIMSOLL_CA_BUNDLE:-}" ]; then
  for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    if [ -f "$bundle" ]; then export PLIMSOLL_CA_BUNDLE=$bundle; break; fi
  done
fi
