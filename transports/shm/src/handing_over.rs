//! Calls and answers in real shared memory, with threads in place of processes. Miri and ThreadSanitizer
//! see here whether each byte that one side wrote is read after it, and never meanwhile.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::allocator::Allocator;
use crate::layout::{PENDING, REQUESTS, Slot};
use crate::region::{Piece, Region};
use crate::ring::{Inbox, Taken, Words as _, submit, take_piece, wait_for_answer};
use crate::wait::Lookout;

const TICK: Duration = Duration::from_millis(20);
const CALLS: u32 = if cfg!(miri) { 4 } else { 2_000 };
const GUESTS: u32 = 2;
/// Pieces of a response.
const PIECES: u32 = 2;

/// Writes numbers in place, and the place of them as the request; reads each back, doubled.
fn ask(region: &Arc<Region>, allocator: &Allocator, slot: Slot) {
    let mut lookout = Lookout::default();
    for call in 0..CALLS {
        // Of another length each time, so that parts are given to other calls.
        let count = 1 + (call * 7 + slot.0) as usize % 300;
        let part = allocator.take_within(count * 4, TICK).unwrap();
        let mut piece = Piece::reserve(region, REQUESTS + part.at, count).unwrap();
        for (at, value) in piece.values_mut().iter_mut().enumerate() {
            *value = (call as usize + at) as f32;
        }
        let request = allocator.take_within(16, TICK).unwrap();
        let place = [(REQUESTS + part.at) as u64, count as u64];
        assert!(region.write(REQUESTS + request.at, bytemuck::cast_slice(&place)));
        region.set_number(slot.offset(), request.at as u64);
        region.store(slot.length(), 16);
        let mut seen = region.load(slot.answers());
        submit(&**region, slot);
        for taken in 0..PIECES {
            if taken > 0 {
                take_piece(&**region, slot, taken);
            }
            let answers = wait_for_answer(&**region, slot, seen, &mut lookout, TICK, || true);
            seen = answers.unwrap();
            let length = region.load(slot.piece()) as usize;
            let mut answer = vec![0_f32; length / 4];
            assert!(region.read(slot.response(), bytemuck::cast_slice_mut(&mut answer)));
            let doubled = piece.values().iter().map(|value| value * 2.0);
            assert!(doubled.eq(answer));
        }
        drop(piece);
        allocator.give_back(part);
        allocator.give_back(request);
    }
}

fn answer(region: &Region, inbox: &Inbox, is_over: &AtomicBool, answered: &AtomicU32) {
    let mut lookout = Lookout::default();
    let mut promise = None;
    loop {
        let taken = inbox.wait(region, promise.take(), &mut lookout, Some(TICK));
        if is_over.load(Ordering::SeqCst) {
            return;
        }
        let slot = match taken {
            Taken::Call(slot) => slot,
            Taken::Nothing => continue,
            Taken::Broken => panic!("both sides keep the rules"),
        };
        let at = REQUESTS + usize::try_from(region.number(slot.offset())).unwrap();
        assert_eq!(region.load(slot.length()), 16);
        let mut place = [0_u64; 2];
        assert!(region.read(at, bytemuck::cast_slice_mut(&mut place)));
        let mut values = vec![0_f32; usize::try_from(place[1]).unwrap()];
        let from = usize::try_from(place[0]).unwrap();
        assert!(region.read(from, bytemuck::cast_slice_mut(&mut values)));
        values.iter_mut().for_each(|value| *value *= 2.0);
        for given in 1..=PIECES {
            assert!(region.write(slot.response(), bytemuck::cast_slice(&values)));
            region.store(slot.piece(), u32::try_from(values.len() * 4).unwrap());
            if given == PIECES {
                break;
            }
            inbox.hand_over(region, slot, false);
            assert!(inbox.wait_until_taken(region, slot, given, TICK, || true));
        }
        answered.fetch_add(1, Ordering::SeqCst);
        promise = inbox.promise(region);
        inbox.hand_over(region, slot, true);
    }
}

#[test]
fn what_one_side_wrote_is_what_the_other_reads() {
    let (guest, memory) = Region::make().unwrap();
    let owner = Region::open(&memory).unwrap();
    let guest = Arc::new(guest);
    let allocator = Allocator::new(64 << 10);
    let (inbox, is_over, answered) = Default::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| answer(&owner, &inbox, &is_over, &answered));
        }
        let guests: Vec<_> = (0..GUESTS)
            .map(|slot| {
                let (guest, allocator) = (&guest, &allocator);
                scope.spawn(move || ask(guest, allocator, Slot(slot)))
            })
            .collect();
        guests.into_iter().for_each(|guest| guest.join().unwrap());
        is_over.store(true, Ordering::SeqCst);
        guest.wake(PENDING, u32::MAX >> 1);
    });
    assert_eq!(answered.into_inner(), GUESTS * CALLS);
}
