//! Which messages of a key hold, where the bucket keeps all of them: where several servers keep it, or old ones.
//!
//! A server alone compares and stores in one step. In a cluster the leader compares before it proposes a message to the
//! replicas, so several messages that expect the same may be on their way at once, and all are stored. What a replica
//! refuses to store, it counts, and a replica that was restarted may have counted otherwise than the rest (nats-server issue
//! 4320); so nothing is sent here that could be refused where it is stored. Instead each message says what it stands on,
//! and whoever reads the messages of a key in their order finds the same of them to hold:
//!
//! * `Sp-After: 41` holds if the document of message 41 stands then. It is a change of it, or the mark of its removal.
//! * `Sp-Over: 40` holds if nothing stands then: no message held before, or the last that did is the mark of a removal.
//!   It makes a document. 40 is the mark that its writer saw, 0 for none.
//! * A message with neither holds in any case: `nats kv put` and `nats kv del` write such.
//!
//! Whatever does not hold where it is stored never will. Nobody names a message that did not hold, so what stands can be
//! found from the greatest number that is named, without what came before it. Two things keep all that comes after it in
//! the bucket:
//!
//! * The bucket has no limit of messages for a key: a server before 2.10 that is started again may remove newer ones for
//!   older.
//!   Whoever wrote what stands removes what it stood on, and a void message that it knew of, some time later: longer than
//!   anybody waits for an answer ([`superseded`](super::superseded)).
//! * The sweep removes what they left, and marks, only when nothing was written for an interval.
//!
//! The leader refuses what does not expect the newest message ([`Basis::tail`]), before it is proposed. So only messages
//! that were on their way together can be void, and one process has one of a key on its way at a time.

/// What a message says that it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// On anything.
    Anything,
    /// On the document of the message with this sequence.
    After(u64),
    /// On nothing: the mark with this sequence was seen, 0 for none.
    Over(u64),
}

impl Claim {
    /// No message has the number 0.
    pub(super) const NEVER: Self = Self::After(0);

    /// The sequence that is named, 0 for none.
    pub(super) const fn seq(self) -> u64 {
        match self {
            Self::Anything => 0,
            Self::After(seq) | Self::Over(seq) => seq,
        }
    }
}

/// What a write stands on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basis {
    pub(super) claim: Claim,
    /// Sequence of the newest message of the key, whether it holds or not; 0 when there is none.
    pub(super) tail: u64,
}

/// One message of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chained {
    pub(super) seq: u64,
    pub(super) claim: Claim,
    pub(super) is_removal: bool,
}

/// What stands under a key: the last message that held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stand {
    /// 0 when none ever held.
    pub(super) seq: u64,
    /// Whether it is a document, expired or not.
    pub(super) is_document: bool,
}

impl Stand {
    /// Whether a message holds that comes next.
    pub(super) fn admits(self, claim: Claim) -> bool {
        match claim {
            Claim::Anything => true,
            Claim::After(seq) => self.is_document && self.seq == seq,
            Claim::Over(_) => !self.is_document,
        }
    }

    fn then(self, link: &Chained) -> Self {
        if self.admits(link.claim) { Self { seq: link.seq, is_document: !link.is_removal } } else { self }
    }

    /// What stood when somebody named it.
    const fn named(claim: Claim) -> Self {
        let seq = claim.seq();
        Self { seq, is_document: seq > 0 && matches!(claim, Claim::After(_)) }
    }
}

/// What stands after these messages of one key, which are all that there are behind the greatest sequence that one of them
/// names.
pub(super) fn standing(links: &[Chained]) -> Stand {
    let named = links.iter().map(|link| link.claim).max_by_key(|claim| claim.seq());
    let base = named.map_or_else(Stand::default, Stand::named);
    links.iter().filter(|link| link.seq > base.seq).fold(base, Stand::then)
}

/// Whether a message held, from messages of its key that are left behind what it names, which may be more or less than all
/// that came up to it. `None` when they do not tell.
pub(super) fn held(message: Chained, links: &[Chained]) -> Option<bool> {
    let others = || links.iter().filter(|link| link.seq != message.seq);
    if others().any(|link| link.claim.seq() == message.seq) {
        return Some(true);
    }
    let between = |named: u64| named > message.claim.seq() && named < message.seq;
    if matches!(message.claim, Claim::After(_)) && others().any(|link| between(link.claim.seq())) {
        return Some(false);
    }
    // A message that held is only removed when a later one names it: behind the greatest that is named all are there.
    let named = others().map(|link| link.claim).chain([message.claim]).max_by_key(|claim| claim.seq())?;
    let base = Stand::named(named);
    let is_there = links.iter().any(|link| link.seq == message.seq);
    (base.seq < message.seq && is_there).then(|| {
        let up_to_it = links.iter().filter(|link| link.seq > base.seq && link.seq <= message.seq);
        up_to_it.fold(base, Stand::then).seq == message.seq
    })
}

/// The messages of a key that a sweep removes, in an order in which each may go: what readers find of those that are left is
/// the same all the while. First those before one that surely held, and those that never did; then those that did, the
/// oldest first, because a void message is only told by one that held before it. A mark goes when it is alone: what a
/// server that is killed forgets to have removed are messages of the last moments.
///
/// None where the newest message is void, until the key is written again: a server of 2.9 finds no message of a key at all
/// after its newest was removed.
pub(super) fn superfluous(links: &[Chained]) -> Vec<u64> {
    let Stand { seq: stands, is_document } = standing(links);
    match links {
        [mark] if mark.seq == stands && !is_document => return vec![stands],
        [.., newest] if newest.seq == stands => {}
        _ => return Vec::new(),
    }
    let is_here = |claim: &Claim| links.iter().any(|link| link.seq == claim.seq());
    let oldest = links.iter().map(|link| link.claim).filter(is_here).min_by_key(|claim| claim.seq());
    let newest = links.iter().map(|link| link.claim).max_by_key(|claim| claim.seq());
    let mut stand = oldest.or(newest).map_or_else(Stand::default, Stand::named);
    let (mut first, mut then) = (Vec::new(), Vec::new());
    for link in links {
        if oldest.is_some_and(|claim| link.seq == claim.seq()) {
            then.push(link.seq);
        } else if link.seq > stand.seq && stand.admits(link.claim) {
            stand = stand.then(link);
            then.push(link.seq);
        } else {
            first.push(link.seq);
        }
    }
    first.extend(then);
    first.retain(|seq| *seq != stands);
    first
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn link(seq: u64, claim: Claim) -> Chained {
        Chained { seq, claim, is_removal: false }
    }

    const fn mark(seq: u64, after: u64) -> Chained {
        Chained { seq, claim: Claim::After(after), is_removal: true }
    }

    const fn document(seq: u64) -> Stand {
        Stand { seq, is_document: true }
    }

    #[test]
    fn of_rivals_the_first_holds_and_the_others_never_do() {
        let rivals = [
            link(1, Claim::Over(0)),
            link(2, Claim::Over(0)),
            link(4, Claim::After(1)),
            link(5, Claim::After(1)),
        ];
        assert_eq!(standing(&rivals), document(4));
        assert_eq!(standing(&rivals[1..]), document(4), "from the message that is named on");
        assert_eq!(standing(&[mark(6, 4), link(7, Claim::After(4))]), Stand { seq: 6, is_document: false });
        assert_eq!(standing(&[link(6, Claim::After(4)), mark(7, 4)]), document(6));
    }

    /// One of them saw the mark of a removal, which is gone since, the other saw nothing.
    #[test]
    fn of_two_that_make_it_anew_one_holds() {
        assert_eq!(standing(&[link(51, Claim::Over(50)), link(52, Claim::Over(0))]), document(51));
        assert_eq!(standing(&[link(51, Claim::Over(0)), link(52, Claim::Over(50))]), document(51));
        let with_mark = [mark(50, 49), link(51, Claim::Over(0)), link(52, Claim::Over(50))];
        assert_eq!(standing(&with_mark), document(51));
    }

    #[test]
    fn what_names_nothing_never_holds() {
        assert_eq!(standing(&[link(2, Claim::Over(0)), link(3, Claim::NEVER)]), document(2));
        assert_eq!(standing(&[link(3, Claim::NEVER)]), Stand::default());
    }

    /// It was sent when there was nothing, and came when the first messages had gone.
    #[test]
    fn a_late_maker_does_not_hold_over_a_long_history() {
        let late = [
            link(10, Claim::After(8)),
            link(11, Claim::After(9)),
            link(12, Claim::After(11)),
            link(13, Claim::Over(0)),
        ];
        assert_eq!(standing(&late), document(12));
    }

    #[test]
    fn what_was_put_by_hand_holds() {
        assert_eq!(standing(&[link(9, Claim::Anything)]), document(9));
        let between = [link(9, Claim::Anything), link(10, Claim::After(8)), link(11, Claim::After(9))];
        assert_eq!(standing(&between), document(11));
        assert_eq!(standing(&between[..2]), document(9));
    }

    /// What a writer knew when it wrote: the past that it saw, what it does, and whether what it came after is gone.
    fn acts() -> impl Strategy<Value = Vec<(usize, u8, bool)>> {
        prop::collection::vec((0_usize..4, 0_u8..8, any::<bool>()), 1..60)
    }

    /// Messages of writers that know the state of some messages ago.
    #[derive(Default)]
    struct Written {
        links: Vec<Chained>,
        /// The newest message that each writer knew.
        tails: Vec<u64>,
        /// What stood before each of them, and after the last.
        stands: Vec<Stand>,
        /// What writers removed of what they came after.
        gone: Vec<u64>,
    }

    impl Written {
        fn by(acts: Vec<(usize, u8, bool)>) -> Self {
            let mut written = Self { stands: vec![Stand::default()], ..Self::default() };
            for (ago, act, removes) in acts {
                let tail = written.links.len().saturating_sub(ago);
                let (seen, stand) = (written.stands[tail], written.stands[written.links.len()]);
                let claim = match (act, seen.is_document) {
                    (0, _) => Claim::Anything,
                    (_, true) => Claim::After(seen.seq),
                    (_, false) => Claim::Over(seen.seq),
                };
                let seq = u64::try_from(written.stands.len()).unwrap();
                let link = Chained { seq, claim, is_removal: act == 1 && seen.is_document };
                let tail = u64::try_from(tail).unwrap();
                if stand.admits(claim) && removes && claim != Claim::Anything {
                    written.gone.extend([claim.seq(), tail]);
                }
                written.links.push(link);
                written.tails.push(tail);
                written.stands.push(stand.then(&link));
            }
            written
        }

        fn left(&self, end: usize, gone: &[u64]) -> Vec<Chained> {
            self.links[..end].iter().filter(|link| !gone.contains(&link.seq)).copied().collect()
        }
    }

    proptest! {
        /// Whoever reads from anywhere finds the same, also while a sweep is at work.
        #[test]
        fn readers_of_any_part_agree(acts in acts()) {
            let Written { links, stands, .. } = Written::by(acts);
            for (end, stand) in stands.iter().enumerate().skip(1) {
                prop_assert_eq!(standing(&links[..end]), *stand);
                // A reader of the newest message begins behind what that names.
                let newest = links[end - 1];
                let begin = match newest.claim {
                    Claim::Anything => end - 1,
                    named => usize::try_from(named.seq()).unwrap(),
                };
                prop_assert_eq!(standing(&links[begin..end]), *stand);
                for gone in [0, begin.min(usize::try_from(stand.seq.saturating_sub(1)).unwrap())] {
                    let mut left = links[gone..end].to_vec();
                    for seq in superfluous(&left) {
                        left.retain(|link| link.seq != seq);
                        prop_assert_eq!(standing(&left).is_document, stand.is_document);
                        prop_assert!(!stand.is_document || standing(&left) == *stand);
                    }
                    let is_thin = left.iter().all(|link| link.seq == stand.seq);
                    prop_assert!(is_thin || stand.seq != newest.seq);
                }
            }
        }

        /// The same while writers remove what they came after; and each writer finds out whether its own message held, or
        /// that this cannot be found out any more.
        #[test]
        fn what_writers_remove_nobody_needs(acts in acts()) {
            let written = Written::by(acts);
            let end = written.links.len();
            for gone in [&[][..], &written.gone] {
                let left = written.left(end, gone);
                let newest = written.links[end - 1];
                prop_assert!(left.last().is_some_and(|link| link.seq == newest.seq));
                let behind = if newest.claim == Claim::Anything { newest.seq - 1 } else { newest.claim.seq() };
                let read: Vec<_> = left.iter().filter(|link| link.seq > behind).copied().collect();
                prop_assert_eq!(standing(&read), written.stands[end]);
                for (place, link) in written.links.iter().enumerate() {
                    let behind: Vec<_> =
                        left.iter().filter(|other| other.seq > written.tails[place]).copied().collect();
                    let did = written.stands[place].admits(link.claim);
                    // Where another stood on a later one, what came between may have been removed.
                    let is_past = behind.iter().any(|other| other.claim.seq() > link.seq);
                    match held(*link, &behind) {
                        Some(told) => prop_assert_eq!(told, did),
                        None => prop_assert!(is_past || gone.contains(&link.seq)),
                    }
                }
            }
        }
    }
}
