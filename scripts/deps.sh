#!/usr/bin/env bash
# Installs what the tests need beside Go and gcc. On Debian by apt; elsewhere it
# says what to install and goes on: a test whose tool is missing skips itself
# and prints the reason.
set -u
# command=package
need=(openssl=openssl curl=curl softhsm2-util=softhsm2 certtool=gnutls-bin certutil=libnss3-tools git=git strace=strace sqlite3=sqlite3 javac=default-jdk-headless)
# file=package; a file may be a pattern
files=(/usr/share/java/bcprov.jar=libbcprov-java /usr/share/java/bcpkix.jar=libbcpkix-java /usr/share/java/bcutil.jar=libbcutil-java /usr/share/unicode/UnicodeData.txt=unicode-data
	'/usr/lib/postgresql/*/bin/initdb=postgresql' /usr/sbin/mariadbd=mariadb-server
	/usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data/crls=python3-cryptography-vectors)
missing=()
for n in "${need[@]}"; do
	command -v "${n%%=*}" >/dev/null 2>&1 || missing+=("${n##*=}")
done
for f in "${files[@]}"; do
	compgen -G "${f%%=*}" >/dev/null || missing+=("${f##*=}")
done
if [ "${#missing[@]}" -eq 0 ]; then exit 0; fi
if command -v apt-get >/dev/null 2>&1; then
	as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		if sudo -n true 2>/dev/null; then as_root=(sudo -n); else
			echo "please install: ${missing[*]}   (sudo apt-get install -y ${missing[*]})"
			exit 0
		fi
	fi
	echo "installing: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	"${as_root[@]}" apt-get update -qq >/dev/null || true
	if ! "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
		echo "apt-get could not install all of: ${missing[*]}; the tests that need them will be skipped"
	fi
else
	echo "this is not Debian; please install the equivalents of: ${missing[*]}"
fi
