//! The smallest workloads with every disk that a power cut may leave.

#[test]
fn one_operation_survives_every_cut_and_kill() {
    let outcome = rig::exhaustive::run(1);

    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
    assert!(outcome.states > 100 && outcome.kills > 100, "{outcome:?}");
    assert_eq!(outcome.sampled, 0);
}
