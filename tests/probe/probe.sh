# Runs as a container's init (sh -c TEXT) and prints what is true there, one key=value per line.
# What is read of process 1 is read by others, so that this shell holds nothing open itself.
echo probe-begin
sh -c 'ls -l /proc/1/fd | sed -n "s|.* \([0-9]*\) -> \(.*\)|fd=\1 \2|p"'
tr '\0' '\n' </proc/1/environ | sed 's/^/env=/'
for argument in "$0" "$@"; do echo "arg=$argument"; done
for name in cgroup ipc mnt net pid user uts; do echo "ns=$name $(readlink /proc/1/ns/$name)"; done
sed 's/^/mount=/' /proc/1/mountinfo
sed 's/^/cgroup=/' /proc/1/cgroup
sed -n "s/^\(Cpus\|Mems\)_allowed_list:[^0-9]*/allowed=\1 /p" /proc/self/status
sed -n 's/^\(Cap[A-Za-z]*\|Sig[A-Za-z]*\|NoNewPrivs\):[^0-9a-f]*/status=\1 /p' /proc/self/status
sed 's/^/stat=/' /proc/1/stat
sed -n 's/^\(Uid\|Gid\|Groups\):[^0-9]*/who=\1 /p' /proc/1/status
for kind in uid gid; do sed "s/^ */map=$kind /; s/  */ /g" /proc/1/${kind}_map; done
echo "pid=$$"
echo "cwd=$(readlink /proc/1/cwd)"
echo "umask=$(umask)"
echo "hostname=$(hostname)"
echo "processes=$(ls /proc | grep -c '^[0-9]')"
if (: </dev/tty) 2>/dev/null; then echo "tty=$(tty)"; fi
find /dev -type c -exec stat -c 'device=%n %t:%T %a' {} +
echo "console-owner=$(stat -c '%u:%g' /dev/console)"
find /dev -type l | while read link; do echo "link=$link $(readlink "$link")"; done
for path in /dev/pts/*; do echo "pts=${path##*/}"; done
for path in /* /.*; do echo "top=$path"; done
ls / /.. | sed 's/^/up=/'
ls -i -d / /.. /../.. | sed 's/^/inode=/'
ifconfig -a | grep -o '^[a-z0-9]*' | sed 's/^/link-name=/'
echo "lo=$(ifconfig lo | grep -c UP)"
# Opened for writing, and nothing is written.
for file in $PROBE_WRITE; do
    if (: >>"$file") 2>/dev/null; then echo "write=$file yes"; else echo "write=$file no"; fi
done
for limit in $PROBE_LIMITS; do
    echo "limit=$limit $(tr '\n' ' ' 2>/dev/null <"$limit")"
    # A failed write says so only when the file is closed.
    if (echo 1099511627776 >"$limit") 2>/dev/null; then echo "raise=$limit yes"; else echo "raise=$limit no"; fi
done
echo probe-end
while read line; do echo "got $line"; done
