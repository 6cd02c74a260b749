load common

# The real daemon and a receiver in Python: what the commands say is the matter here.
start() {
  export KEXSECT_SOCKET=$PWD/state/socket
  cat >receiver.py <<'END'
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(404 if self.path == "/no" else 204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open("port.new", "w").write(str(server.server_port))
import os
os.rename("port.new", "port")
server.serve_forever()
END
  /usr/bin/python3 receiver.py 3>&- &
  receiver=$!
  for _ in $(seq 100); do [ -e port ] && break; sleep 0.05; done
  printf 'a secret of more than sixteen bytes\n' >secret
  chmod 600 secret
  printf 'listen: none\nlimits: {disk_free_gib: 0}\nnotify:\n  - {name: good, webhook: "http://127.0.0.1:%s/", secret_file: secret, at: "07:00"}\n  - {name: bad, webhook: "http://127.0.0.1:%s/no"}\n' \
    "$(cat port)" "$(cat port)" >kexsectd.yaml
  "$BUILD_ROOT/kexsectd" --state state --config kexsectd.yaml --retry 0.5 3>&- 2>daemon.log &
  daemon=$!
  for _ in $(seq 100); do kexsect list >/dev/null 2>&1 && return; sleep 0.05; done
  cat daemon.log >&2
  return 1
}

teardown() {
  for pid in $daemon $receiver; do kill "$pid" 2>/dev/null || true; wait "$pid" || true; done
}

@test "notify test says what came of it, notify list what is to come" {
  start
  run kexsect notify test good
  status_is 0
  said "good took it: HTTP 204"
  run kexsect notify test bad
  status_is 1
  said "bad did not take it: HTTP 404"
  said "It is tried again"
  run kexsect notify list
  status_is 0
  said "07:00"
  said "HTTP 404"
  run kexsect notify list --json --limit 1
  status_is 0
  said '"receiver":"bad"'
  [[ $output != *"a secret of more"* ]]
  run kexsect notify test other
  status_is 1
  said "there is no receiver other"
  run kexsect notify
  status_is 2
  run kexsect notify list good
  status_is 2
  run kexsect notify send good
  status_is 2
}

@test "summary in every form" {
  start
  run kexsect summary
  status_is 0
  said "Numbers"
  said "started once"
  for format in md html json; do
    run kexsect summary --since 1h --format $format
    status_is 0
    [ -n "$output" ]
  done
  run kexsect summary --since never
  status_is 2
  run kexsect summary -o morning.html --format html
  status_is 0
  grep -q '</html>' morning.html
}
