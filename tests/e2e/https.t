#!/bin/bash
# musterd follows a repository behind https: the token by a file, the authority by a flag or SSL_CERT_FILE; a
# push is seen when asked for, what is wrong stands in status, and the token stands nowhere.
. "$(dirname "$0")/lib.sh"
[ -x /usr/sbin/lighttpd ] || skip_all "lighttpd is not installed"
command -v openssl > /dev/null || skip_all "openssl is not installed"
TOKEN=sesame-$RUN
new_repository
"$(dirname "$0")/../helpers/git-https" "$T" "x-access-token:$TOKEN"
# The kernel gives the port; lighttpd takes the socket as descriptor 3.
cat > "$T/listen" <<'EOM'
use Socket; use POSIX ();
socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
bind($s, sockaddr_in(0, INADDR_LOOPBACK)) && listen($s, 8) or die $!;
print STDERR "port ", (sockaddr_in(getsockname($s)))[0], "\n";
my $copy = POSIX::dup(fileno($s));
POSIX::dup2($copy, 3);
@ENV{'LISTEN_PID', 'LISTEN_FDS'} = ($$, 1);
exec @ARGV or die $!;
EOM
perl "$T/listen" /usr/sbin/lighttpd -D -f "$T/https/good.conf" 2> "$T/lighttpd.log" &
echo $! >> "$PIDS"
disown
wait_for 10 grep -q 'server started' "$T/lighttpd.log" || log_tail
PORT=$(sed -n 's/^port //p' "$T/lighttpd.log")
URL=https://localhost:$PORT/git/fleet.git
start() { # [FLAG]...
	musterd --source "$URL" --interval 1h --git-token-file "$T/token" "$@" >> "$T/musterd.log" 2>&1 &
	MUSTERD=$!
	echo "$MUSTERD" >> "$PIDS"
	disown
}
says() { grep -qs "$1" "$MUSTER_STATUS/fleet.yaml"; }
taskdef app
service app app
push "one service"

echo "$TOKEN" > "$T/token"
chmod 644 "$T/token"
start
wait_for 20 says CertificateInvalid
ok $? "an authority that nobody knows is not trusted"
like "$(cat "$MUSTER_STATUS/fleet.yaml")" 'is given with --git-ca-file' "status says what can be done"
kill9 "$MUSTERD"

start --git-ca-file "$T/https/ca.pem"
start_agent n1
wait_for 20 says AuthenticationFailed
ok $? "with --git-ca-file it is, but a token that all can read is not used"
like "$(cat "$MUSTER_STATUS/fleet.yaml")" 'open to every user of this machine' "status says why"
chmod 600 "$T/token"
muster reconcile > /dev/null
wait_for 20 nodes_are app n1
ok $? "when that is mended, what the repository has runs"
service more app
push "another service"
muster reconcile > /dev/null
wait_for 20 nodes_are more n1
ok $? "a push is seen after muster reconcile"
muster wait --commit "$(head_commit)" --timeout 20s > /dev/null
ok $? "and is applied"
kill9 "$MUSTERD"

SSL_CERT_FILE=$T/https/ca.pem start
service third app
push "a third"
muster reconcile > /dev/null
wait_for 20 nodes_are third n1
ok $? "SSL_CERT_FILE does the same"
before=$(tasks)
echo wrong > "$T/token"
muster reconcile > /dev/null
wait_for 20 says AuthenticationFailed
ok $? "a wrong token is told"
is "$(tasks)" "$before" "and stops nothing"
kill9 "$MUSTERD"

URL=https://x-access-token:$TOKEN@localhost:$PORT/git/fleet.git start --git-ca-file "$T/https/ca.pem" --once
wait_for 20 gone "$MUSTERD"
like "$(tail -n 20 "$T/musterd.log")" 'x-access-token:\*\*\*@localhost' "a password in the URL is shown as ***"
is "$(grep -rlF "$TOKEN" "$T" | grep -v "^$T/https/")" "" "the token is in no file and in no log"
done_testing
