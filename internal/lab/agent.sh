#!/bin/sh
# Runs what comes in over a serial port, as many things at a time as are asked
# for. A request is a line "ID SCRIPT-BYTES STDIN-BYTES" and then those bytes,
# an answer a line "ID STATUS STDOUT-BYTES STDERR-BYTES" and then those bytes.
# The answer with ID 0 says that the machine has booted.
port=/dev/virtio-ports/benchctl.lab
until [ -c "$port" ]; do sleep 0.1; done
exec 3<>"$port"
mkdir -p /run/lab && cd /run/lab || exit 1

answer() {
	flock 4
	printf '%s %s %s %s\n' "$1" "$2" "$(stat -c %s "$1.out")" "$(stat -c %s "$1.err")" >&3
	cat "$1.out" "$1.err" >&3
	rm -f "$1".*
}

touch 0.out 0.err
answer 0 0 4>lock
while read -r id script stdin <&3; do
	head -c "$script" <&3 >"$id.sh"
	head -c "$stdin" <&3 >"$id.in"
	{
		sh "$id.sh" <"$id.in" >"$id.out" 2>"$id.err" 3<&- 4<&-
		answer "$id" $?
	} 4>lock &
done
