//! Tests of `access.json`'s meaning.

use proptest::prelude::*;

use super::*;

const FILE: &str = r#"{
  "dmPolicy": "allowlist",
  "allowFrom": ["412", "77"],
  "groups": {
    "-100": {"requireMention": false, "allowFrom": ["412"], "note": "kept"},
    "-200": {}
  },
  "pending": {"a1b2c3": {"senderId": "9", "chatId": "9", "createdAt": 1, "expiresAt": 2, "replies": 1}},
  "mentionPatterns": ["^hey bot\\b"],
  "ackReaction": "👀",
  "replyToMode": "all",
  "textChunkLimit": 2000,
  "chunkMode": "newline",
  "future": {"of": ["any", 1]}
}"#;

fn sender(id: &str) -> SenderId {
    SenderId::new(id)
}

#[test]
fn a_file_of_the_official_plugins_is_understood() {
    let Document { access, manners, .. } = Document::parse(FILE).unwrap();
    assert_eq!(access.dm_policy, DmPolicy::Allowlist);
    assert_eq!(access.allow_from.len(), 2);
    assert_eq!(
        access.groups[&ChatId::new("-100")],
        Group { require_mention: false, members: Members::Only([sender("412")].into()) }
    );
    assert_eq!(access.groups[&ChatId::new("-200")], Group { require_mention: true, members: Members::Any });
    assert!(access.mention_patterns.first().unwrap().is_in("HEY BOT, listen"));
    assert_eq!(access.approvers, None);
    assert_eq!(
        manners,
        Manners {
            ack_reaction: Some("👀".into()),
            reply_to: ReplyTo::All,
            text_limit: Some(2000),
            chunk_mode: ChunkMode::Newline
        }
    );
    let empty = Document::parse("{}").unwrap();
    assert_eq!((empty.access, empty.manners), (Access::default(), Manners::default()));
}

#[test]
fn a_mistake_is_named_with_the_way_to_it() {
    for (file, expected) in [
        ("", "not valid JSON"),
        ("[]", "must be an object"),
        (r#"{"allowFrom": "412"}"#, "\"allowFrom\" must be a list in brackets, not \"412\""),
        (r#"{"allowFrom": ["1", 412]}"#, "\"allowFrom[1]\" must be a text in quotes: \"412\""),
        (r#"{"allowFrom": [""]}"#, "\"allowFrom[0]\""),
        (r#"{"allowFrom": ["1", "7\nall is well"]}"#, "\"allowFrom[1]\" cannot be an id"),
        (r#"{"groups": {"a b": {}}}"#, "\"groups\" cannot be an id"),
        (
            r#"{"dmPolicy": "open"}"#,
            "\"dmPolicy\" must be one of \"pairing\", \"allowlist\", \"disabled\", not \"open\"",
        ),
        (r#"{"groups": []}"#, "\"groups\" must be an object"),
        (r#"{"groups": {"-1": true}}"#, "\"groups.-1\" must be an object"),
        (
            r#"{"groups": {"-1": {"requireMention": "no"}}}"#,
            "\"groups.-1.requireMention\" must be true or false",
        ),
        (r#"{"groups": {"-1": {"allowFrom": [{}]}}}"#, "\"groups.-1.allowFrom[0]\""),
        (r#"{"mentionPatterns": ["ok", "(["]}"#, "\"mentionPatterns[1]\" is no regular expression"),
        (
            r#"{"mentionPatterns": ["a{1000}{1000}{1000}"]}"#,
            "\"mentionPatterns[0]\" is no regular expression",
        ),
        (r#"{"textChunkLimit": 0}"#, "\"textChunkLimit\" must be a whole number"),
        (r#"{"chunkMode": "words"}"#, "\"chunkMode\" must be one of"),
        (r#"{"replyToMode": 1}"#, "\"replyToMode\" must be one of"),
        (r#"{"approvers": {}}"#, "\"approvers\" must be a list"),
        (r#"{"ackReaction": true}"#, "\"ackReaction\" must be a text"),
    ] {
        let error = Document::parse(file).unwrap_err().to_string();
        assert!(error.contains(expected), "{file}: {error}");
    }
}

#[test]
fn a_change_changes_one_thing() {
    let before = Document::parse(FILE).unwrap();
    let after = before.with(Change::Allow(sender("5"))).unwrap();
    assert_eq!(after.render(), before.render().replace("\"77\"\n", "\"77\",\n    \"5\"\n"));
    assert_eq!(before.with(Change::Allow(sender("77"))).unwrap().render(), before.render());
    let after = before
        .with(Change::Group(ChatId::new("-100"), Group { require_mention: true, members: Members::Any }))
        .unwrap();
    assert!(after.render().contains("\"note\": \"kept\""), "{}", after.render());
    let moved = before.with(Change::MoveGroup(ChatId::new("-100"), ChatId::new("-300"))).unwrap();
    assert!(moved.access.groups.contains_key(&ChatId::new("-300")) && moved.access.groups.len() == 2);
    let set = before.with(Change::Set(Setting::ChunkMode, None)).unwrap();
    assert_eq!(set.manners.chunk_mode, ChunkMode::default());
    assert!(before.with(Change::Set(Setting::ChunkMode, Some("x".into()))).is_err());
}

#[test]
fn who_is_removed_is_out_everywhere_and_nobody_comes_in_instead() {
    let after = Document::parse(FILE).unwrap().with(Change::Remove(sender("412"))).unwrap();
    assert_eq!(after.access.allow_from, [sender("77")].into());
    let members = &after.access.groups[&ChatId::new("-100")].members;
    assert_eq!(*members, Members::Only(BTreeSet::new()), "an empty list would mean anybody");
    assert!(after.access.beyond(&Document::parse(FILE).unwrap().access).is_empty());
}

#[test]
fn a_page_without_a_file_is_its_users() {
    let page = Document::of_page("web");
    assert!(page.access.is_approver(&sender("web")));
    assert_eq!(Document::parse(&page.render()).unwrap().access, page.access);
}

fn ids() -> impl Strategy<Value = BTreeSet<SenderId>> {
    prop::collection::btree_set("[0-9a-z@:\\-\\\\é]{1,8}".prop_map(SenderId::new), 0..4)
}

prop_compose! {
    fn accesses()(
        policy in 0..3_usize,
        allow_from in ids(),
        groups in prop::collection::btree_map("[0-9.\\-]{1,5}", (any::<bool>(), ids()), 0..3),
        patterns in prop::collection::btree_set("[a-z ]{1,5}", 0..3),
        approvers in prop::option::of(ids()),
    ) -> Access {
        Access {
            dm_policy: DmPolicy::ALL[policy].1,
            allow_from,
            groups: groups
                .into_iter()
                .map(|(id, (require_mention, members))| {
                    (ChatId::new(id), Group { require_mention, members: Members::of(members) })
                })
                .collect(),
            mention_patterns: patterns.iter().map(|source| Pattern::new(source).unwrap()).collect(),
            approvers,
        }
    }
}

/// Returns JSON that is unrelated to the format.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(access in accesses(), key in "x[a-z]{0,5}", other in anything()) {
        let mut object = object(&access);
        object.insert(key.clone(), other.clone());
        let read = Document::parse(&serde_json::to_string(&object).unwrap()).unwrap();
        prop_assert_eq!(&read.access, &access);
        let changed = read.with(Change::Allow(sender("new"))).unwrap();
        let again = Document::parse(&changed.render()).unwrap();
        prop_assert_eq!(again.object.get(&key), Some(&other), "an unknown key is kept");
        prop_assert!(again.access.allow_from.contains(&sender("new")));
        let back = again.with(Change::Remove(sender("new"))).unwrap();
        prop_assert!(back.access.beyond(&access).is_empty());
    }

    #[test]
    fn whatever_the_file_has_it_is_understood_or_refused(value in anything(), key in 0..10_usize) {
        let keys = ["dmPolicy", "allowFrom", "groups", "mentionPatterns", "approvers", "ackReaction",
            "replyToMode", "textChunkLimit", "chunkMode", "pending"];
        let text = json!({keys[key]: value}).to_string();
        if let Ok(document) = Document::parse(&text) {
            prop_assert_eq!(Document::parse(&document.render()).unwrap().access, document.access);
        }
    }

    #[test]
    fn what_two_files_share_lets_in_nobody_else(left in accesses(), right in accesses()) {
        let both = left.meet(&right);
        prop_assert!(both.beyond(&left).is_empty(), "{:?}", both.beyond(&left));
        prop_assert!(both.beyond(&right).is_empty(), "{:?}", both.beyond(&right));
        prop_assert_eq!(left.meet(&left), left);
    }
}
