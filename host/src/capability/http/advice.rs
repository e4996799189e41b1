//! Advice to the user about a denied request: which line to add to which file.

use std::path::PathBuf;

use super::{grant::Grants, origin::Origin};
use crate::event::ChannelName;

/// The data from which advice about denials is made.
#[derive(Clone, Debug)]
pub struct Advice {
    /// The channel whose request was denied.
    pub channel: ChannelName,
    /// The origins that the user has granted so far: a new line has to contain them too.
    pub granted: Vec<Origin>,
    /// The path of `channels.toml`.
    pub settings: PathBuf,
    /// The path of the channel's `.env`.
    pub secrets: PathBuf,
}

impl Advice {
    /// Describes a host that is not granted.
    pub(super) fn not_granted(&self, origin: &Origin) -> String {
        format!(
            "{} is not one of the hosts that {} may reach: {}",
            origin.authority(),
            self.channel,
            self.grant(origin)
        )
    }

    /// Describes a name that resolves to a forbidden address.
    pub(super) fn refused(&self, refused: &super::resolver::Refused, origin: &Origin) -> String {
        let cure = if refused.grantable {
            format!("if that is what you want, {}", self.grant(origin))
        } else {
            "no name may lead there, only the address itself can be granted".to_owned()
        };
        format!("{refused}: {cure}")
    }

    /// Advises about a server certificate that no known authority has signed.
    pub(super) fn unknown_authority(&self) -> String {
        format!(
            "if it is signed by an authority of your own, add ca_file = \"/path/of/its/certificate.pem\" under [{}] in {}",
            self.channel,
            self.settings.display()
        )
    }

    /// Describes a credential without a value.
    pub(super) fn missing(&self, credential: &str, variable: &str) -> String {
        format!(
            "the credential \"{credential}\" of {channel} has no value: run `tidegate configure {channel}`, or put {variable}=… into {file}",
            channel = self.channel,
            file = self.secrets.display()
        )
    }

    /// Describes a credential that must not be sent to this origin.
    pub(super) fn not_for(&self, credential: &str, hosts: &Grants, origin: &Origin) -> String {
        let channel = &self.channel;
        if hosts.is_empty() {
            return format!(
                "the credential \"{credential}\" of {channel} goes nowhere: the setting that names its host is not set"
            );
        }
        format!("the credential \"{credential}\" of {channel} goes to {hosts} only, not to {origin}")
    }

    /// Returns the line that grants an origin, and its place, so that a user can copy it literally.
    fn grant(&self, origin: &Origin) -> String {
        let mut list: Vec<String> = self.granted.iter().map(|granted| format!("\"{granted}\"")).collect();
        let verb = if list.is_empty() { "add" } else { "change the list to" };
        list.push(format!("\"{origin}\""));
        format!(
            "{verb} network = [{}] under [{}] in {}",
            list.join(", "),
            self.channel,
            self.settings.display()
        )
    }
}
