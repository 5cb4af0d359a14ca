//! What belongs to each descriptor that is watched, by a number that epoll tells.

/// Numbers are below this ([`super::super::backend::Watch::add`]).
const MOST: usize = 1 << 16;

/// Values by number. A number that was given back is given out again.
#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    /// None: all numbers are taken.
    pub(super) fn insert(&mut self, value: T) -> Option<u32> {
        if let Some(number) = self.free.pop() {
            self.slots[number as usize] = Some(value);
            return Some(number);
        }
        let number = u32::try_from(self.slots.len()).ok().filter(|_| self.slots.len() < MOST)?;
        self.slots.push(Some(value));
        Some(number)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.slots.get(number as usize)?.as_ref()
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let value = self.slots.get_mut(number as usize)?.take();
        if value.is_some() {
            self.free.push(number);
        }
        value
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(&self.slots).filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }
}
