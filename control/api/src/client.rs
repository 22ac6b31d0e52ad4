use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    Changed, CheckStatus, ConnectionCount, ConnectionCountQuery, ConnectionPage, ConnectionQuery, DrainQuery,
    DrainRequest, DrainStatus, Drained, EditRequest, Failure, Live, LiveQuery, LiveServices, LiveServicesQuery,
    SOCKET_VARIABLE, ServiceStatus, Status, SysctlRequest, SysctlStatus, path,
};

/// Asks a running ulvsd, one connection for each question, and waits for the answer.
///
/// It speaks HTTP/1.0: the server closes after its answer and never sends it in chunks, so that no HTTP library is
/// needed to read it.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error(
        "no ulvsd answers on {}: is it running? (set {SOCKET_VARIABLE} or --socket for another path)",
        .socket.display()
    )]
    NotRunning {
        /// The socket that was tried.
        socket: PathBuf,
    },
    /// The socket belongs to somebody else.
    #[error("{} may not be opened by this user: run as root, or as the user ulvsd runs as", .socket.display())]
    NotPermitted {
        /// The socket that was tried.
        socket: PathBuf,
    },
    /// The answer took too long.
    #[error("ulvsd took the question but gave no whole answer within {} s: see its log", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The answer is larger than a client takes.
    #[error("ulvsd's answer is larger than {} MiB", .0 >> 20)]
    TooLarge(u64),
    /// The connection failed otherwise.
    #[error("talking to ulvsd on {} failed: {error}", .socket.display())]
    Io {
        /// The socket that was used.
        socket: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// What came back is not the API's.
    #[error("what answers on {} is not this version's ulvsd: {reason}", .socket.display())]
    NotOurs {
        /// The socket that was used.
        socket: PathBuf,
        /// What is wrong with the answer.
        reason: String,
    },
    /// ulvsd refused, and this is its sentence.
    #[error("{message}")]
    Refused {
        /// HTTP's status code.
        status: u16,
        /// ulvsd's sentence.
        message: String,
        /// What of the request it is about, if that is known: `edits[0].add_service.scheduler`.
        field: Option<String>,
    },
}

/// Of each question.
const HEADERS: &str = "Host: ulvs\r\nAccept: application/json\r\n";

impl Client {
    /// How long a whole answer may take, unless [`Self::with_timeout`] says otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// The most bytes an answer may have: 100,000 real servers take a third of it.
    pub const MAX_ANSWER: u64 = 128 << 20;

    /// A client of the ulvsd on `socket`. Nothing is opened yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), timeout: Self::TIMEOUT }
    }

    /// The same client with another limit on the time a whole answer takes.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The director as a whole.
    ///
    /// # Errors
    /// If ulvsd gives no or no good answer.
    pub fn status(&self) -> Result<Status, ClientError> {
        self.get(path::STATUS)
    }

    /// The services and their real servers.
    ///
    /// # Errors
    /// If ulvsd gives no or no good answer.
    pub fn services(&self) -> Result<Vec<ServiceStatus>, ClientError> {
        self.get(path::SERVICES)
    }

    /// The health checks.
    ///
    /// # Errors
    /// If ulvsd gives no or no good answer.
    pub fn checks(&self) -> Result<Vec<CheckStatus>, ClientError> {
        self.get(path::CHECKS)
    }

    /// The director as a whole, and how it was in the last seconds.
    ///
    /// # Errors
    /// If ulvsd gives no or no good answer.
    pub fn live(&self, query: LiveQuery) -> Result<Live, ClientError> {
        self.get(&format!("{}?since={}", path::LIVE, query.since))
    }

    /// A window of the services with their rates.
    ///
    /// # Errors
    /// If ulvsd gives no or no good answer.
    pub fn live_services(&self, query: &LiveServicesQuery) -> Result<LiveServices, ClientError> {
        self.get(&query.target())
    }

    /// A page of connections.
    ///
    /// # Errors
    /// If ulvsd gives no or no good answer.
    pub fn connections(&self, query: &ConnectionQuery) -> Result<ConnectionPage, ClientError> {
        self.get(&query.target())
    }

    /// How many connections there are.
    ///
    /// # Errors
    /// If ulvsd refuses, or gives no or no good answer.
    pub fn count_connections(&self, query: &ConnectionCountQuery) -> Result<ConnectionCount, ClientError> {
        self.get(&query.target())
    }

    /// Drains a real server, or ends that.
    ///
    /// # Errors
    /// If ulvsd refuses, or gives no or no good answer.
    pub fn drain(&self, request: &DrainRequest) -> Result<Changed, ClientError> {
        self.post(path::DRAIN, request)
    }

    /// IPVS's switches.
    ///
    /// # Errors
    /// If ulvsd gives no or no good answer.
    pub fn sysctls(&self) -> Result<Vec<SysctlStatus>, ClientError> {
        self.get(path::SYSCTLS)
    }

    /// Sets one of them.
    ///
    /// # Errors
    /// If ulvsd refuses, or gives no or no good answer.
    pub fn set_sysctl(&self, request: &SysctlRequest) -> Result<Changed, ClientError> {
        self.post(path::SYSCTLS, request)
    }

    /// How far a real server is emptied.
    ///
    /// # Errors
    /// If ulvsd gives no or no good answer.
    pub fn drain_status(&self, query: &DrainQuery) -> Result<DrainStatus, ClientError> {
        self.get(&query.target())
    }

    /// Edits services and real servers, all edits or none.
    ///
    /// # Errors
    /// If ulvsd refuses, or gives no or no good answer.
    pub fn edit(&self, request: &EditRequest) -> Result<Changed, ClientError> {
        self.post(path::SERVICES, request)
    }

    /// All real servers that are being emptied or were taken out.
    ///
    /// # Errors
    /// If ulvsd gives no or no good answer.
    pub fn drains(&self) -> Result<Vec<Drained>, ClientError> {
        self.get(path::DRAINS)
    }

    /// The answer to a POST of JSON, read as JSON.
    ///
    /// # Errors
    /// If ulvsd refuses, or gives no or no good answer.
    pub fn post<T: DeserializeOwned>(&self, target: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.read(&self.post_text(target, body)?)
    }

    /// The answer to a POST of JSON as it came.
    ///
    /// # Errors
    /// If ulvsd refuses, or gives no or no good answer.
    pub fn post_text(&self, target: &str, body: &impl Serialize) -> Result<String, ClientError> {
        let answer = self.exchange(&self.posted(target, body)?)?;
        self.good(target, &answer)
    }

    /// A POST of JSON as it is sent.
    pub(crate) fn posted(&self, target: &str, body: &impl Serialize) -> Result<String, ClientError> {
        let body = serde_json::to_string(body).map_err(|error| self.not_ours(error.to_string()))?;
        let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        Ok(format!("POST {target} HTTP/1.0\r\n{HEADERS}{head}\r\n{body}"))
    }

    /// The answer to `GET target`, read as JSON.
    ///
    /// # Errors
    /// If ulvsd gives no or no good answer.
    pub fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, ClientError> {
        self.read(&self.get_text(target)?)
    }

    /// Reads an answer of [`Self::get_text`].
    ///
    /// # Errors
    /// If the text is not JSON of a `T`.
    pub fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T, ClientError> {
        serde_json::from_str(text).map_err(|error| self.not_ours(error.to_string()))
    }

    /// The answer to `GET target` as it came.
    ///
    /// # Errors
    /// If ulvsd gives no or no good answer.
    pub fn get_text(&self, target: &str) -> Result<String, ClientError> {
        let answer = self.exchange(&format!("GET {target} HTTP/1.0\r\n{HEADERS}\r\n"))?;
        self.good(target, &answer)
    }

    /// The body of an answer that is a success.
    pub(crate) fn good(&self, target: &str, answer: &[u8]) -> Result<String, ClientError> {
        let (status, body) = self.split(answer)?;
        if status == 200 {
            return Ok(body);
        }
        let (message, field) = match serde_json::from_str::<Failure>(&body) {
            Ok(failure) => (failure.error, failure.field),
            Err(_) => (format!("ulvsd answers {target} with status {status}"), None),
        };
        Err(ClientError::Refused { status, message, field })
    }

    /// A connection on which neither writing nor reading takes for ever.
    pub(crate) fn connect(&self) -> Result<UnixStream, ClientError> {
        let stream = UnixStream::connect(&self.socket).map_err(|error| self.no_connection(error))?;
        stream.set_write_timeout(Some(self.timeout)).map_err(|error| self.broken(error))?;
        stream.set_read_timeout(Some(self.timeout)).map_err(|error| self.broken(error))?;
        Ok(stream)
    }

    /// Sends the question and gives all bytes that come back.
    fn exchange(&self, question: &str) -> Result<Vec<u8>, ClientError> {
        let deadline = Instant::now() + self.timeout;
        let mut stream = self.connect()?;
        stream.write_all(question.as_bytes()).map_err(|error| self.broken(error))?;
        let mut answer = Vec::new();
        let mut piece = vec![0; 1 << 16];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ClientError::TimedOut(self.timeout));
            }
            stream.set_read_timeout(Some(left)).map_err(|error| self.broken(error))?;
            match stream.read(&mut piece) {
                Ok(0) => return Ok(answer),
                Ok(n) => answer.extend_from_slice(&piece[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(error)),
            }
            if answer.len() as u64 > Self::MAX_ANSWER {
                return Err(ClientError::TooLarge(Self::MAX_ANSWER));
            }
        }
    }

    /// Status code and body of an answer.
    fn split(&self, answer: &[u8]) -> Result<(u16, String), ClientError> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut headers);
        let body = match head.parse(answer) {
            Ok(httparse::Status::Complete(at)) => &answer[at..],
            Ok(httparse::Status::Partial) => return Err(self.not_ours("the answer ends early".to_owned())),
            Err(error) => return Err(self.not_ours(format!("it does not speak HTTP ({error})"))),
        };
        let length = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|h| std::str::from_utf8(h.value).ok()?.trim().parse::<usize>().ok());
        if length.is_some_and(|length| length != body.len()) {
            return Err(self.not_ours("the answer ends early".to_owned()));
        }
        let body = String::from_utf8(body.to_vec()).map_err(|error| self.not_ours(error.to_string()))?;
        Ok((head.code.unwrap_or_default(), body))
    }

    fn no_connection(&self, error: io::Error) -> ClientError {
        let socket = self.socket.clone();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning { socket },
            io::ErrorKind::PermissionDenied => ClientError::NotPermitted { socket },
            _ => ClientError::Io { socket, error },
        }
    }

    pub(crate) fn broken(&self, error: io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::TimedOut(self.timeout),
            _ => ClientError::Io { socket: self.socket.clone(), error },
        }
    }

    pub(crate) fn not_ours(&self, reason: String) -> ClientError {
        ClientError::NotOurs { socket: self.socket.clone(), reason }
    }
}

impl DrainQuery {
    /// The query as the target of a GET.
    pub fn target(&self) -> String {
        let Self { protocol, service, mark, real_server } = self;
        let mark = mark.map_or_else(String::new, |mark| format!("&mark={mark}"));
        format!("{}?protocol={protocol}&service={service}{mark}&real_server={real_server}", path::DRAIN)
    }
}

impl LiveServicesQuery {
    /// The query as the target of a GET.
    pub fn target(&self) -> String {
        let Self { search, name, state, sort, descending, from, count, real_servers } = self;
        let text = |key: &str, value: &str| format!("&{key}={}", encoded(value));
        let mut target =
            format!("{}?descending={descending}&real_servers={real_servers}&from={from}", path::LIVE_SERVICES);
        target.extend(count.map(|count| format!("&count={count}")));
        target.push_str(&text("search", search));
        let named = [("name", name), ("state", state), ("sort", sort)];
        target.extend(named.into_iter().filter_map(|(key, value)| Some(text(key, value.as_deref()?))));
        target
    }
}

/// Any text as the value of a query.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut target, byte| {
        if byte.is_ascii_alphanumeric() {
            target.push(char::from(byte));
        } else {
            let _infallible = write!(target, "%{byte:02X}");
        }
        target
    })
}

impl ConnectionQuery {
    /// The query as the target of a GET.
    pub fn target(&self) -> String {
        target(path::CONNECTIONS, self)
    }
}

impl ConnectionCountQuery {
    /// The query as the target of a GET.
    pub fn target(&self) -> String {
        target(path::CONNECTION_COUNT, self)
    }
}

/// A path with a query of names and text, which can always be written.
fn target(path: &str, query: &impl Serialize) -> String {
    match serde_urlencoded::to_string(query) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}
