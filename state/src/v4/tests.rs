use std::sync::Arc;

use super::*;
use crate::json::Json;
use crate::model::{DeposedKey, InstanceObject, ObjectStatus};

const FULL: &[u8] = include_bytes!("../../tests/fixtures/full.tfstate");
const DEPOSED: &[u8] = include_bytes!("../../tests/fixtures/deposed.tfstate");
const EMPTY: &[u8] = include_bytes!("../../tests/fixtures/empty.tfstate");

#[test]
fn files_of_terraform_survive_byte_for_byte() {
    for bytes in [FULL, DEPOSED, EMPTY] {
        let state = read(bytes).unwrap().unwrap();
        let written = String::from_utf8(write(&state)).unwrap();
        assert!(written == std::str::from_utf8(bytes).unwrap(), "{written}");
    }
}

#[test]
fn the_model_says_what_the_file_says() {
    let state = read(DEPOSED).unwrap().unwrap();
    let cbd = state.instance(&"terraform_data.cbd".parse().unwrap()).unwrap();
    assert!(cbd.current.as_ref().unwrap().create_before_destroy);
    assert_eq!(cbd.deposed.keys().map(DeposedKey::as_str).collect::<Vec<_>>(), ["0a1b2c3d"]);
    let tainted = state.current(&r#"terraform_data.each["10"]"#.parse().unwrap()).unwrap();
    assert_eq!(tainted.status, ObjectStatus::Tainted);
    let mut shared = state.resources.iter().filter(|(address, _)| address.resource.name == "each");
    let (_, each) = shared.next().unwrap();
    let lists: Vec<_> = each.instances.values().map(|i| i.current.as_ref().unwrap().dependencies.clone()).collect();
    assert!(lists.windows(2).all(|pair| Arc::ptr_eq(&pair[0], &pair[1])));
    let sensitive = state.current(&"terraform_data.sens".parse().unwrap()).unwrap();
    assert!(!sensitive.sensitive_attributes.is_empty());
    assert!(state.outputs["sec"].sensitive);
}

#[test]
fn a_list_of_dependencies_is_kept_once_wherever_it_is() {
    let resource = |name: &str, list: &str| {
        format!(
            r#"{{"mode": "managed", "type": "aws_t", "name": "{name}", "provider": "provider[\"a/b\"]", "instances":
                [{{"schema_version": 0, "attributes": {{}}, "dependencies": {list}}}]}}"#
        )
    };
    let resources = [
        resource("a", r#"["aws_x.x", "aws_y.y"]"#),
        resource("b", r#"["aws_x.x"]"#),
        resource("c", r#"["aws_x.x","aws_y.y"]"#),
    ];
    let text = format!(
        r#"{{"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "l", "resources": [{}]}}"#,
        resources.join(",")
    );
    let state = read(text.as_bytes()).unwrap().unwrap();
    let [a, b, c] = ["aws_t.a", "aws_t.b", "aws_t.c"]
        .map(|address| state.current(&address.parse().unwrap()).unwrap().dependencies.clone());
    assert!(Arc::ptr_eq(&a, &c));
    assert!(Arc::ptr_eq(&a[0], &b[0]));
    assert_eq!(b.iter().map(ToString::to_string).collect::<Vec<_>>(), ["aws_x.x"]);
}

#[test]
fn what_later_versions_add_to_objects_is_kept() {
    let mut state = read(EMPTY).unwrap().unwrap();
    let object = InstanceObject {
        identity_schema_version: Some(0),
        identity: Some(Json::parse(r#"{"id":"x"}"#).unwrap()),
        ..InstanceObject::default()
    };
    let provider = "provider[\"a/b\"]".parse().unwrap();
    state.set_current(&"aws_x.y[3]".parse().unwrap(), &provider, Some(Arc::new(object)));
    assert_eq!(read(&write(&state)).unwrap().unwrap(), state);
}

/// A sink that takes so many bytes and notes how many it got at once.
struct Sink {
    room: usize,
    longest: usize,
}

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.longest = self.longest.max(bytes.len());
        self.room = self.room.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_large_state_is_written_in_pieces() {
    let mut state = read(EMPTY).unwrap().unwrap();
    let provider = "provider[\"a/b\"]".parse().unwrap();
    for index in 0..5000 {
        let address = format!("aws_x.y[{index}]").parse().unwrap();
        state.set_current(&address, &provider, Some(Arc::new(InstanceObject::default())));
    }
    let whole = write(&state);
    let mut sink = Sink { room: whole.len(), longest: 0 };
    write_to(&state, &mut sink).unwrap();
    assert!(sink.room == 0 && sink.longest < 70_000, "{} of {}", sink.longest, whole.len());
    let error = write_to(&state, &mut Sink { room: whole.len() / 2, longest: 0 }).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(read_from(whole.as_slice()).unwrap().unwrap(), state);
}

#[test]
fn members_may_come_in_any_order() {
    let text = br#"{"resources": [{"instances": [{"attributes": {"a": 1}, "dependencies": ["aws_z.z"]}], "provider":
        "provider[\"a/b\"]", "name": "y", "type": "aws_x", "mode": "managed", "more": {}}], "more": [], "lineage": "l",
        "serial": 3, "terraform_version": "1.11.4", "version": 4}"#;
    let state = read(text).unwrap().unwrap();
    assert_eq!(state.serial.0, 3);
    let object = state.current(&"aws_x.y".parse().unwrap()).unwrap();
    assert_eq!((object.attributes.as_str(), object.dependencies.len()), (r#"{"a":1}"#, 1));
    let bad = String::from_utf8(text.to_vec()).unwrap();
    let problem = |text: String| read(text.as_bytes()).unwrap_err().to_string();
    let late = problem(bad.replace(r#""dependencies": ["#, r#""status": "odd", "dependencies": ["#));
    assert_eq!(late, "aws_x.y in the state file has an instance of the invalid status \"odd\"");
    let error = read(bad.replace(r#"aws_z.z"#, "aws_z").as_bytes()).unwrap_err();
    assert!(matches!(&error, ReadError::Address { place, .. } if place == "the dependencies of aws_x.y"), "{error}");
    let missing = problem(bad.replace(r#""name": "y","#, ""));
    assert!(missing.contains("missing field `name`"), "{missing}");
    let twice = problem(bad.replace(r#""name": "y","#, r#""name": "y", "name": "z","#));
    assert!(twice.contains("duplicate field `name`"), "{twice}");
}

#[test]
fn a_source_that_fails_is_no_damaged_state() {
    struct Fails;
    impl std::io::Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    use std::io::Read;
    assert!(matches!(read_from(EMPTY[..50].chain(Fails)), Err(ReadError::Source(_))));
}

#[test]
fn no_part_of_a_file_is_a_state() {
    assert!(read(b"").unwrap().is_none());
    for length in 1..EMPTY.len() - 1 {
        assert!(read(&EMPTY[..length]).is_err(), "{length}");
    }
    for length in (1..FULL.len() - 1).step_by(997) {
        assert!(matches!(read(&FULL[..length]), Err(ReadError::Syntax { .. })), "{length}");
    }
}

#[test]
fn other_formats_are_refused() {
    assert!(matches!(read(b"{}"), Err(ReadError::NoVersion)));
    assert!(matches!(read(br#"{"version":"4"}"#), Err(ReadError::Invalid { .. })));
    assert!(matches!(read(br#"{"version":0}"#), Err(ReadError::Invalid { .. })));
    let future = read(br#"{"version":5,"terraform_version":"9.0.0","resources":{}}"#).unwrap_err();
    assert_eq!(
        future.to_string(),
        "the state file uses format version 5, which is newer than this program supports (4) (written by Terraform 9.0.0)"
    );
    assert!(matches!(read(b"{\"version\":4}\xff"), Err(ReadError::Encoding { offset: 13 })));
    let error = read(b"{\n  \"version\": 4,\n  \"serial\": \"x\"\n}").unwrap_err();
    assert!(matches!(error, ReadError::Syntax { line: 3, .. }), "{error}");
    let bad = br#"{"version":4,"resources":[{"mode":"managed","type":"a","name":"b","provider":"provider[\"a/b\"]",
        "instances":[{"index_key":-1}]}]}"#;
    assert!(matches!(read(bad), Err(ReadError::Invalid { .. })));
}

#[test]
fn empty_lists_of_checks_are_none() {
    let text = br#"{"version":4,"check_results":[{"object_kind":"check","config_addr":"check.c","status":"pass","objects":[]}]}"#;
    let state = read(text).unwrap().unwrap();
    assert_eq!(read(&write(&state)).unwrap().unwrap(), state);
    assert_eq!(state.check_results.unwrap()[0].objects, None);
    assert_eq!(read(br#"{"version":4,"check_results":[]}"#).unwrap().unwrap().check_results, None);
}
