use crate::environment::TestEnvironment;

#[test]
fn people_read_one_line() {
    let outcome = TestEnvironment::new().run(&["version"]);
    assert_eq!(outcome.code, Some(0));
    let expected = format!("pivotctl {} ", env!("CARGO_PKG_VERSION"));
    assert!(outcome.stdout.starts_with(&expected) && outcome.stdout.lines().count() == 1, "{outcome}");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn machines_read_formats() {
    let environment = TestEnvironment::new();
    let json: serde_json::Value =
        serde_json::from_str(&environment.run(&["version", "-o", "json"]).stdout).unwrap();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["planFormat"], 1);
    let yaml: serde_json::Value =
        serde_saphyr::from_str(&environment.run(&["version", "-o", "yaml"]).stdout).unwrap();
    assert_eq!(yaml, json);
}
