//! A folder to run in, the program in it, and the two ends that it connects.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Once,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tungstenite::{ClientRequestBuilder, Message, WebSocket};

/// The time limit of each wait. Generous, because the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A temporary state root.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        static COMPILED: Once = Once::new();
        COMPILED.call_once(|| {
            // `try` waits for what has to be compiled, which sessions do not: what they are told at the beginning would
            // depend on how busy the machine is.
            let output =
                Self(tempfile::tempdir().unwrap()).run(["try", "fakechat", "telegram", "--port", "0"], "");
            assert!(output.status.success(), "{}", output.stderr);
        });
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn settings(&self, text: &str) {
        std::fs::write(self.path().join("channels.toml"), text).unwrap();
    }

    /// Returns a command for the program.
    pub(crate) fn command<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .args(arguments)
            .env_clear()
            .env("TIDEGATE_HOME", self.path())
            // Shared, so that each component is compiled once.
            .env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I, input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Output {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts the server on a free port, including the handshake.
    pub(crate) fn serve<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Server {
        let mut server = self.spawn(arguments);
        server.initialize();
        server
    }

    /// Starts the server on a free port, without the handshake.
    pub(crate) fn spawn<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Server {
        // Whoever runs these tests may be a session that was started without them.
        let mut command = self.command(["serve", "--port", "0", "--opt-in", "always"]);
        command.args(arguments);
        Server::start(command)
    }

    /// Writes the access file of a channel.
    pub(crate) fn access(&self, channel: &str, access: &Value) {
        let folder = self.path().join(channel);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("access.json"), access.to_string()).unwrap();
    }

    /// Runs the program to its end as a person does: at a terminal, and without a session above it.
    pub(crate) fn at_terminal<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Output {
        self.detached(&self.command(arguments))
    }

    /// Runs this to its end, at a terminal and without a session above it. Several runs may overlap.
    pub(crate) fn detached(&self, program: &Command) -> Output {
        self.detached_saying(program, "yes\n")
    }

    /// Runs the program in the same way, with another answer than yes.
    pub(crate) fn at_terminal_saying<I: IntoIterator<Item: AsRef<OsStr>>>(
        &self,
        arguments: I,
        answer: &str,
    ) -> Output {
        self.detached_saying(&self.command(arguments), answer)
    }

    fn detached_saying(&self, program: &Command, answer: &str) -> Output {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let result = self.path().join(format!("result-{}-{run}", std::process::id()));
        let mut command = Command::new("/bin/sh");
        // The shell ends at once, and what it leaves behind begins then: whatever runs these tests is no ancestor.
        let script = "exec 3<&0; { read -r _ <&3; exec 3<&-; \"$@\" <\"$TERMINAL\" >\"$RESULT.out\" 2>\"$RESULT.err\"; \
                      echo $? >\"$RESULT.status\"; } &";
        command.args(["-c", script, "sh"]).arg(program.get_program()).args(program.get_args());
        command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let terminal = Terminal::open();
        // To whatever it asks.
        rustix::io::write(&terminal.master, answer.as_bytes()).unwrap();
        command.env("TERMINAL", &terminal.path).env("RESULT", &result).env("PATH", "/usr/bin:/bin");
        let mut shell = command.stdin(Stdio::piped()).spawn().unwrap();
        let gate = shell.stdin.take();
        assert!(shell.wait().unwrap().success());
        drop(gate);
        let read = |part: &str| std::fs::read_to_string(result.with_extension(part)).unwrap_or_default();
        let start = Instant::now();
        while !read("status").ends_with('\n') {
            assert!(start.elapsed() < PATIENCE, "the program does not end: {}", read("err"));
            thread::sleep(Duration::from_millis(5));
        }
        let code: i32 = read("status").trim().parse().unwrap();
        let output =
            Output { status: ExitStatus::from_raw(code << 8), stdout: read("out"), stderr: read("err") };
        for part in ["out", "err", "status"] {
            let _ = std::fs::remove_file(result.with_extension(part));
        }
        output
    }
}

/// A terminal with a person's input.
struct Terminal {
    master: OwnedFd,
    path: String,
}

impl Terminal {
    fn open() -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        Self { master, path }
    }
}

/// The output of a run of the program.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program as an MCP server, with raw lines.
pub(crate) struct Server {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    log: Receiver<String>,
    logged: Vec<String>,
    /// Notifications that arrived during the wait for another message.
    events: Vec<Value>,
    last_id: u64,
    /// The notices about channels that were prepared in parallel with the session.
    pub(crate) ready: Vec<String>,
    /// The client's roots: `file:///…`.
    pub(crate) roots: Vec<String>,
}

impl Server {
    /// Returns the owner of this channel, as other processes see it.
    pub(crate) fn owner(home: &Home, channel: &str) -> Option<String> {
        let status = home.run(["status", channel, "--json"], "").stdout;
        let status: Value = serde_json::from_str(&status).unwrap();
        status[0]["owner"].as_str().map(str::to_owned)
    }

    pub(crate) fn start(command: Command) -> Self {
        let (mut server, log) = Self::start_unread(command);
        server.read_log(log);
        server
    }

    /// Starts a server whose log is not read until [`read_log`](Self::read_log).
    pub(crate) fn start_unread(mut command: Command) -> (Self, ChildStderr) {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let lines = reader(child.stdout.take().unwrap());
        let log = child.stderr.take().unwrap();
        let server = Self {
            child,
            stdin,
            lines,
            log: mpsc::channel().1,
            logged: Vec::new(),
            events: Vec::new(),
            last_id: 0,
            ready: Vec::new(),
            roots: Vec::new(),
        };
        (server, log)
    }

    /// Reads the log from now on.
    pub(crate) fn read_log(&mut self, log: ChildStderr) {
        self.log = reader(log);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.raw(format!("{message}\n").as_bytes());
    }

    /// Returns the next line on stdout, which must be JSON-RPC: stdout carries nothing else.
    pub(crate) fn next(&mut self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("nothing came from the server");
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("on stdout: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        if let Some(text) = ready(&message) {
            self.ready.push(text.to_owned());
            return self.next();
        }
        if message["method"] == "roots/list" {
            let roots: Vec<Value> = self.roots.iter().map(|uri| json!({"uri": uri})).collect();
            self.send(&json!({"jsonrpc": "2.0", "id": message["id"], "result": {"roots": roots}}));
            return self.next();
        }
        message
    }

    /// Returns the server's next notification or request with this method.
    pub(crate) fn wait(&mut self, method: &str) -> Value {
        if let Some(at) = self.events.iter().position(|message| message["method"] == method) {
            return self.events.remove(at);
        }
        loop {
            let message = self.next();
            if message["method"] == method {
                return message;
            }
            self.events.push(message);
        }
    }

    /// Returns all messages with this method so far: the answer to a request comes after them on the same stream.
    pub(crate) fn arrived(&mut self, method: &str) -> Vec<Value> {
        self.request("ping", &json!({}));
        let (found, others) = self.events.drain(..).partition(|message| message["method"] == method);
        self.events = others;
        found
    }

    /// Answers a dialog of the server.
    pub(crate) fn answer_dialog(&mut self, dialog: &Value, result: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": dialog["id"], "result": result}));
    }

    /// Sends a request and returns its answer.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        self.answer(id)
    }

    pub(crate) fn answer(&mut self, id: u64) -> Value {
        let answers = |message: &Value| message["id"] == id && message["method"].is_null();
        if let Some(at) = self.events.iter().position(answers) {
            return self.events.remove(at);
        }
        loop {
            let message = self.next();
            if answers(&message) {
                return message;
            }
            self.events.push(message);
        }
    }

    pub(crate) fn initialize(&mut self) -> Value {
        self.initialize_as(&json!({"roots": {}, "elicitation": {}}))
    }

    /// Does the handshake as a client with these capabilities.
    pub(crate) fn initialize_as(&mut self, capabilities: &Value) -> Value {
        let answer = self.request(
            "initialize",
            &json!({
                "protocolVersion": "2025-11-25",
                "capabilities": capabilities,
                "clientInfo": {"name": "claude-code", "version": "2.1.197"}
            }),
        );
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        // On a busy machine, or where nothing is compiled yet, channels follow a little later.
        if answer["result"]["instructions"].as_str().is_some_and(|text| text.contains("is being prepared")) {
            self.wait("notifications/tools/list_changed");
        }
        answer["result"].clone()
    }

    /// Returns the params of the next event.
    pub(crate) fn event(&mut self) -> Value {
        self.wait("notifications/claude/channel")["params"].take()
    }

    pub(crate) fn content(&mut self) -> String {
        self.event()["content"].as_str().unwrap().to_owned()
    }

    /// Checks that no further event arrives: the answer to a request comes after it on the same stream.
    pub(crate) fn no_event(&mut self) {
        self.request("ping", &json!({}));
        assert!(self.events.is_empty(), "{:?}", self.events);
    }

    /// Calls a tool; returns the text of the result, and whether it is an error.
    pub(crate) fn call(&mut self, name: &str, arguments: &Value) -> (String, bool) {
        let (mut blocks, is_error) = self.call_whole(name, arguments);
        (blocks.swap_remove(0), is_error)
    }

    /// Calls a tool; returns all blocks of the result, and whether it is an error.
    pub(crate) fn call_whole(&mut self, name: &str, arguments: &Value) -> (Vec<String>, bool) {
        let answer = self.request("tools/call", &json!({"name": name, "arguments": arguments}));
        let result = &answer["result"];
        let blocks = result["content"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let blocks = blocks.iter().map(|block| block["text"].as_str().unwrap().to_owned());
        (blocks.collect(), result["isError"] == true)
    }

    pub(crate) fn reply(&mut self, chat: &str, text: &str) -> (String, bool) {
        self.call("reply", &json!({"chat_id": chat, "text": text}))
    }

    /// Waits for a line of the log that contains this text.
    pub(crate) fn log(&mut self, part: &str) -> String {
        if let Some(line) = self.logged.iter().find(|line| line.contains(part)) {
            return line.clone();
        }
        loop {
            let line = self
                .log
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("{part:?} is not in {:?}", self.logged));
            self.logged.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Returns how many of the log's lines so far contain this text.
    pub(crate) fn logged(&self, part: &str) -> usize {
        self.logged.iter().filter(|line| line.contains(part)).count()
    }

    /// Returns the port of a channel's page.
    pub(crate) fn port(&mut self, channel: &str) -> u16 {
        let line = self.log(&format!("{channel}: http://127.0.0.1:"));
        line.rsplit(':').next().unwrap().trim().parse().unwrap()
    }

    pub(crate) fn page(&mut self, channel: &str) -> Page {
        Page::open(self.port(channel))
    }

    /// Opens the page through the link with the key.
    pub(crate) fn own_page(&mut self, channel: &str) -> Page {
        let port = self.port(channel);
        let line = self.log(&format!("{channel}: to answer permission prompts"));
        let key = line.rsplit("#key=").next().unwrap().trim().to_owned();
        Page::connect(port, &format!("/ws?key={key}"), &[]).unwrap()
    }

    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; returns the exit status, and the time until then.
    pub(crate) fn end(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, start.elapsed());
            }
            assert!(start.elapsed() < PATIENCE, "the server does not end");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns the remaining lines on stdout.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => return rest,
                Err(RecvTimeoutError::Timeout) => panic!("stdout stays open"),
            }
        }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Returns the notice that a channel has been compiled, which may arrive at any time if the cache is empty.
fn ready(message: &Value) -> Option<&str> {
    let text = message["params"]["content"].as_str()?;
    let is_notice = message["params"]["meta"]["notice"].is_string();
    (is_notice && text.starts_with("The channel ") && text.contains(" is ready.")).then_some(text)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.logged.extend(self.log.try_iter());
            println!("--- the server's log:\n{}", self.logged.join("\n"));
        }
    }
}

fn reader(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A browser's WebSocket.
pub(crate) struct Page(WebSocket<TcpStream>);

impl Page {
    pub(crate) fn open(port: u16) -> Self {
        Self::with_headers(port, &[("Origin", &format!("http://127.0.0.1:{port}"))]).unwrap()
    }

    pub(crate) fn with_headers(port: u16, headers: &[(&str, &str)]) -> Result<Self, String> {
        Self::connect(port, "/ws", headers)
    }

    pub(crate) fn connect(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = ClientRequestBuilder::new(format!("ws://127.0.0.1:{port}{path}").parse().unwrap());
        for (name, value) in headers {
            request = request.with_header(*name, *value);
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self(socket)),
            // A machine that was paused says this.
            Err(error) if error.to_string().contains("Interrupted") => Self::connect(port, path, headers),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(crate) fn frame(&mut self, message: Message) {
        self.0.send(message).unwrap();
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.frame(Message::text(text));
    }

    /// Sends a message as a fakechat client does.
    pub(crate) fn say(&mut self, id: &str, text: &str) {
        self.text(&json!({"id": id, "text": text}).to_string());
    }

    pub(crate) fn next(&mut self) -> Message {
        self.read().expect("nothing came from the page")
    }

    /// Reads a message. A child process that ends can interrupt a read with a timeout, even without a signal handler.
    fn read(&mut self) -> tungstenite::Result<Message> {
        loop {
            match self.0.read() {
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Returns the next frame of this type.
    pub(crate) fn wait(&mut self, kind: &str) -> Value {
        self.frame_of(&[kind])
    }

    /// Returns the next frame of one of these types.
    pub(crate) fn frame_of(&mut self, kinds: &[&str]) -> Value {
        loop {
            if let Message::Text(text) = self.next() {
                let frame: Value = serde_json::from_str(&text).unwrap();
                if kinds.iter().any(|kind| frame["type"] == *kind) {
                    return frame;
                }
            }
        }
    }

    /// Sends the bazaar a command.
    pub(crate) fn tell(&mut self, told: &Value) {
        self.text(&told.to_string());
    }

    /// Returns the bazaar's next frame that shows this call.
    pub(crate) fn call(&mut self, name: &str) -> Value {
        loop {
            let frame = self.shown();
            if frame["call"] == name {
                return frame;
            }
        }
    }

    /// Returns the calls that the bazaar has shown, once it has carried out all earlier commands of this page.
    pub(crate) fn calls(&mut self) -> Vec<Value> {
        self.tell(&json!({"ping": "calls"}));
        let frames = std::iter::from_fn(|| Some(self.shown()).filter(|frame| frame["pong"] != "calls"));
        frames.filter(|frame| frame["call"].is_string()).collect()
    }

    /// Returns the bazaar's next frame. Fails if the bazaar rejected a command, because that is the test's mistake.
    fn shown(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.next() {
                let frame: Value = serde_json::from_str(&text).unwrap();
                assert!(frame["error"].is_null(), "{frame}");
                return frame;
            }
        }
    }

    /// Returns the code and reason of the next close.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        loop {
            match self.read() {
                Ok(Message::Close(Some(frame))) => return (frame.code.into(), frame.reason.to_string()),
                Ok(_) => {}
                Err(error) => panic!("closed without a reason: {error}"),
            }
        }
    }
}

/// An HTTP response.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Returns a port that is free at this moment; another process may still take it.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Sends one HTTP request with exactly these bytes.
pub(crate) fn http(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    try_http(port, method, path, headers, body).expect("no HTTP response")
}

/// Sends one HTTP request. Returns `None` if no process listens there, or if it ends before it has answered.
pub(crate) fn try_http(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Response> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        write!(head, "Host: 127.0.0.1:{port}\r\n").unwrap();
    }
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    // A server that refuses early reads no further.
    let _ = stream.write_all(body);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = bytes[end + 4..].to_vec();
    if head.contains("transfer-encoding: chunked") {
        body = unchunk(&body);
    }
    Some(Response { status, head, body })
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[(end + 4 + length).min(body.len())..];
    }
    whole
}

/// Uploads a form as a browser sends it.
pub(crate) fn upload(port: u16, id: &str, text: &str, file_name: &str, bytes: &[u8]) -> Response {
    let mut body = Vec::new();
    for (name, value) in [("id", id), ("text", text)] {
        body.extend(
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    body.extend(
        format!("--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\r\n")
            .bytes(),
    );
    body.extend_from_slice(bytes);
    body.extend(b"\r\n--edge--\r\n");
    http(port, "POST", "/upload", &[("Content-Type", "multipart/form-data; boundary=edge")], &body)
}

/// Returns the file of the guest that misbehaves in this way; its only sender may write.
pub(crate) fn chameleon(home: &Home, behaviour: &str) -> PathBuf {
    home.access("chameleon", &json!({"dmPolicy": "allowlist", "allowFrom": ["s"]}));
    fixture(home, "chameleon", behaviour)
}

/// Returns the file of the same guest, whose sender was not let in.
pub(crate) fn bare_chameleon(home: &Home, behaviour: &str) -> PathBuf {
    fixture(home, "chameleon", behaviour)
}

/// Returns the file of the guest whose page reports strangers, groups and presses.
pub(crate) fn bazaar(home: &Home, behaviour: &str) -> PathBuf {
    fixture(home, "bazaar", behaviour)
}

fn fixture(home: &Home, name: &str, behaviour: &str) -> PathBuf {
    let path = home.path().join(format!("{name}-{behaviour}.wasm"));
    let mut bytes = component(name);
    let marker: Vec<u8> = format!("BEHAVIOUR={behaviour}").into_bytes();
    let at = bytes.windows(10).position(|window| window == b"BEHAVIOUR=").unwrap();
    bytes[at..at + 32].fill(b'.');
    bytes[at..at + marker.len()].copy_from_slice(&marker);
    std::fs::write(&path, bytes).unwrap();
    // Compiles it. What a bad one says is the test's business.
    home.run([OsStr::new("inspect"), path.as_os_str()], "");
    path
}

/// Returns the bytes of a built guest.
pub(crate) fn component(name: &str) -> Vec<u8> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let path = target.join(format!("guests/{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask guests --all`", path.display()))
}
