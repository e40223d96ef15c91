use crate::prompt::JUDGED;
use crate::record::{Aspect, Kind};

#[test]
fn templates_know_every_aspect() {
    let mut names: Vec<&str> = Aspect::ALL.iter().map(|aspect| aspect.name()).collect();
    assert_eq!(names.len(), JUDGED.len());
    names.sort_unstable();
    let mut judged = JUDGED.to_vec();
    judged.sort_unstable();
    assert_eq!(names, judged);
    for aspect in Aspect::ALL {
        assert_eq!(Aspect::named(aspect.name()), Some(*aspect));
        assert!(Kind::ALL.iter().any(|kind| aspect.is_of(*kind)));
    }
}
