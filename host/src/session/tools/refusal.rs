//! The part of a call's result that says that the session receives no messages from the channel.

/// Returns the channels from which no messages are received, each with the reason. `said` is the rest of the result: a
/// reason that it contains is not repeated.
pub(super) fn describe<'a>(refusals: impl Iterator<Item = (&'a str, String)>, said: &str) -> Option<String> {
    // A session that is refused is refused for all of its channels, for one reason, so the channels are grouped by
    // reason.
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for (channel, reason) in refusals {
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, channels)) => channels.push(channel),
            None => reasons.push((reason, vec![channel])),
        }
    }
    let sentences = reasons.into_iter().map(|(reason, channels)| {
        let what = format!("This session receives no messages from {}", channels.join(" and "));
        if said.contains(&reason) {
            format!("{what}; tell your user.")
        } else {
            format!("{what}; tell your user: {}.", reason.trim_end_matches('.'))
        }
    });
    let text = sentences.collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn each_reason_is_said_once() {
        let text = |refusals: &[(&'static str, &str)], said: &str| {
            describe(refusals.iter().map(|(channel, reason)| (*channel, (*reason).to_owned())), said)
        };
        assert_eq!(text(&[], "sent"), None);
        assert_eq!(
            text(&[("telegram", "no. Do this")], "sent").as_deref(),
            Some("This session receives no messages from telegram; tell your user: no. Do this.")
        );
        assert_eq!(
            text(&[("telegram", "no. Do this")], "reply failed: no. Do this").as_deref(),
            Some("This session receives no messages from telegram; tell your user.")
        );
        assert_eq!(
            text(&[("a", "no"), ("b", "held"), ("c", "no")], "sent").as_deref(),
            Some(
                "This session receives no messages from a and c; tell your user: no. This session receives no messages \
                 from b; tell your user: held."
            )
        );
    }
}
