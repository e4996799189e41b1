//! What a person can do about a denied request: which line to add where.

use std::path::PathBuf;

use super::{grant::Grants, origin::Origin};
use crate::event::ChannelName;

/// What a person can do about a denial.
#[derive(Clone, Debug)]
pub struct Advice {
    /// Whose denial.
    pub channel: ChannelName,
    /// What the user has granted so far: a line that is added would not be alone.
    pub granted: Vec<Origin>,
    /// `channels.toml`.
    pub settings: PathBuf,
    /// The channel's `.env`.
    pub secrets: PathBuf,
}

impl Advice {
    /// A host that was not granted.
    pub(super) fn not_granted(&self, origin: &Origin) -> String {
        format!(
            "{} is not one of the hosts that {} may reach: {}",
            origin.authority(),
            self.channel,
            self.grant(origin)
        )
    }

    /// A name that leads where it must not.
    pub(super) fn refused(&self, refused: &super::resolver::Refused, origin: &Origin) -> String {
        let cure = if refused.grantable {
            format!("if that is what you want, {}", self.grant(origin))
        } else {
            "no name may lead there, only the address itself can be granted".to_owned()
        };
        format!("{refused}: {cure}")
    }

    /// A server whose certificate nobody known has signed.
    pub(super) fn unknown_authority(&self) -> String {
        format!(
            "if it is signed by an authority of your own, add ca_file = \"/path/of/its/certificate.pem\" under [{}] in {}",
            self.channel,
            self.settings.display()
        )
    }

    /// A credential without a value.
    pub(super) fn missing(&self, credential: &str, variable: &str) -> String {
        format!(
            "the credential \"{credential}\" of {channel} has no value: run `tidegate configure {channel}`, or put {variable}=… into {file}",
            channel = self.channel,
            file = self.secrets.display()
        )
    }

    /// A credential that does not go there.
    pub(super) fn not_for(&self, credential: &str, hosts: &Grants, origin: &Origin) -> String {
        let channel = &self.channel;
        if hosts.is_empty() {
            return format!(
                "the credential \"{credential}\" of {channel} goes nowhere: the setting that names its host is not set"
            );
        }
        format!("the credential \"{credential}\" of {channel} goes to {hosts} only, not to {origin}")
    }

    /// The line that grants an origin, and where it belongs. It can be followed literally.
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
