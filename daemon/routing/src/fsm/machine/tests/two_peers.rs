//! Two machines that dial each other over a network which delays, drops and cuts as it likes.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

/// One end of a connection: whose, and the connection.
type End = (usize, ConnectionId);

#[derive(Default)]
struct Wire {
    /// In flight towards each end, in order; `None` is the end of the stream.
    inbox: BTreeMap<End, VecDeque<Option<Message>>>,
    /// The other end.
    other: BTreeMap<End, End>,
}

struct Pair {
    fsm: [Fsm; 2],
    wire: Wire,
    dials: VecDeque<usize>,
    next: u64,
    now: Time,
}

impl Pair {
    fn new(seeds: (u64, u64)) -> Self {
        let fsm = [Fsm::new(config("a", "b"), seeds.0), Fsm::new(config("b", "a"), seeds.1)];
        let mut pair = Self { fsm, wire: Wire::default(), dials: VecDeque::new(), next: 0, now: T0 };
        for who in 0..2 {
            let actions = pair.fsm[who].handle(Event::Start, T0);
            pair.perform(who, actions);
        }
        pair
    }

    fn perform(&mut self, who: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Dial => self.dials.push_back(who),
                Action::Send(connection, message) => self.put((who, connection), Some(message)),
                Action::Close(connection) => {
                    self.put((who, connection), None);
                    self.wire.inbox.remove(&(who, connection));
                }
                Action::Up(_) | Action::Down(_) | Action::Deliver => {}
            }
        }
    }

    fn put(&mut self, from: End, message: Option<Message>) {
        if let Some(to) = self.wire.other.get(&from)
            && let Some(inbox) = self.wire.inbox.get_mut(to)
        {
            inbox.push_back(message);
        }
    }

    /// Does one of the things that could happen next.
    fn step(&mut self, choice: usize) {
        let ready: Vec<End> =
            self.wire.inbox.iter().filter(|(_, q)| !q.is_empty()).map(|(e, _)| *e).collect();
        let options = ready.len() + self.dials.len();
        if options == 0 {
            return self.pass_time();
        }
        let choice = choice % options;
        let Some(&end) = ready.get(choice) else { return self.connect() };
        let message = self.wire.inbox.get_mut(&end).and_then(VecDeque::pop_front).flatten();
        self.deliver(end, message);
    }

    fn connect(&mut self) {
        let who = self.dials.pop_front().expect("a dial is under way");
        let ends = [(who, ConnectionId(self.next)), (1 - who, ConnectionId(self.next + 1))];
        self.next += 2;
        for (end, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            self.wire.inbox.insert(end, VecDeque::new());
            self.wire.other.insert(end, other);
        }
        let actions = self.fsm[who].handle(Event::Dialled(ends[0].1), self.now);
        self.perform(who, actions);
    }

    fn deliver(&mut self, (who, connection): End, message: Option<Message>) {
        let known = self.fsm[who].state().connection() == Some(connection);
        let actions = match &message {
            Some(Message::Open(open)) if !known => {
                self.fsm[who].handle(Event::Accepted(connection, open), self.now)
            }
            Some(message) => self.fsm[who].handle(Event::Received(connection, message), self.now),
            None => {
                self.wire.inbox.remove(&(who, connection));
                self.fsm[who].handle(Event::Closed(connection), self.now)
            }
        };
        self.perform(who, actions);
    }

    fn pass_time(&mut self) {
        let next = self.fsm.iter().filter_map(Fsm::next_deadline).min().expect("something is always due");
        self.now = self.now.max(next);
        for who in 0..2 {
            let actions = self.fsm[who].handle(Event::Tick, self.now);
            self.perform(who, actions);
        }
    }

    /// Cuts a connection; the given ends notice, the others find out by their timers.
    fn cut(&mut self, noticed: [bool; 2]) {
        for (who, noticed) in noticed.into_iter().enumerate() {
            let Some(connection) = self.fsm[who].state().connection() else { continue };
            self.wire.inbox.remove(&(who, connection));
            if noticed {
                let actions = self.fsm[who].handle(Event::Closed(connection), self.now);
                self.perform(who, actions);
            }
        }
    }

    fn agree(&self) -> bool {
        let [State::Established { session: a, .. }, State::Established { session: b, .. }] =
            [*self.fsm[0].state(), *self.fsm[1].state()]
        else {
            return false;
        };
        self.wire.other.get(&(0, a.connection)) == Some(&(1, b.connection))
            && self.wire.inbox.contains_key(&(0, a.connection))
            && self.wire.inbox.contains_key(&(1, b.connection))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn two_peers_always_end_up_on_one_connection(
        seeds: (u64, u64),
        chaos in prop::collection::vec((any::<usize>(), prop::option::weighted(0.05, any::<[bool; 2]>())), 0..200),
        calm in any::<u64>(),
    ) {
        let mut pair = Pair::new(seeds);
        for (choice, cut) in chaos {
            pair.step(choice);
            if let Some(noticed) = cut {
                pair.cut(noticed);
            }
        }
        let mut order = Random::seeded(calm);
        let started = pair.now;
        while !pair.agree() {
            let choice = usize::try_from(order.next_u64() >> 33).expect("31 bits fit");
            pair.step(choice);
            prop_assert!(pair.now.since(started) < Duration::from_secs(300), "no session within five minutes");
        }
        // And it stays: nothing left in flight ends it.
        let end = pair.now + Duration::from_secs(600);
        let up = pair.fsm[0].state().connection();
        while pair.now < end {
            pair.step(usize::try_from(order.next_u64() >> 33).expect("31 bits fit"));
            prop_assert_eq!(pair.fsm[0].state().connection(), up);
        }
    }
}
