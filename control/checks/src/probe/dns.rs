use std::net::SocketAddr;

use hickory_proto::op::{Message, MessageType, Query as Asked, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use ulvs_config::{DnsProbe, Origin};

use super::{Failure, Finding, socket};

/// A query, but for its number.
#[derive(Debug)]
pub(super) struct Query {
    asked: Option<Asked>,
    any_answer: bool,
}

impl Query {
    pub(super) fn new(probe: &DnsProbe) -> Self {
        let name = Name::from_ascii(&probe.name).ok().map(|mut name| {
            name.set_fqdn(true);
            name
        });
        let asked =
            name.zip(probe.record.parse().ok()).map(|(name, record): (_, RecordType)| Asked::query(name, record));
        Self { asked, any_answer: probe.any_answer }
    }

    /// Whether it is answered, with a record.
    pub(super) async fn ask(&self, address: SocketAddr, origin: &Origin) -> Result<Finding, Failure> {
        let asked = self.asked.as_ref().ok_or_else(|| Failure::new("the name can't be asked for"))?;
        let mut query = Message::query();
        query.metadata.recursion_desired = true;
        query.add_query(asked.clone());
        let bytes = query.to_vec().map_err(|error| Failure::new(error.to_string()))?;
        let socket = socket::datagrams(address, origin).await?;
        socket.send(&bytes).await?;
        let mut answer = vec![0; 4096];
        loop {
            let length = socket.recv(&mut answer).await?;
            // What is no answer to this query may be somebody else's: the right one may still come.
            let Ok(message) = Message::from_vec(&answer[..length]) else { continue };
            let is_answer = message.metadata.message_type == MessageType::Response
                && message.metadata.id == query.metadata.id
                && message.queries == query.queries;
            if is_answer {
                return self.judge(&message);
            }
        }
    }

    fn judge(&self, message: &Message) -> Result<Finding, Failure> {
        let code = message.metadata.response_code;
        if self.any_answer {
            return Ok(Finding::Passed);
        }
        if code != ResponseCode::NoError {
            return Err(Failure::new(format!("the answer's code is {code}")));
        }
        if message.answers.is_empty() && !message.metadata.truncation {
            return Err(Failure::new("the answer has no record"));
        }
        Ok(Finding::Passed)
    }
}
