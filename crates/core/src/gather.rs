//! Collecting into maps and sets by insertion.

/// [`Iterator::collect`] for B-trees.
///
/// `collect` sorts the items before it builds a B-tree. The code of a sort exists once more for each type of items, and
/// all of them together took several kB of the browser's module.
pub trait Gather: Iterator + Sized {
    /// Inserts the items one after the other into a map or set: of equal keys the last item stays, as with `collect`.
    fn gather<C: Default + Extend<Self::Item>>(self) -> C {
        let mut gathered = C::default();
        gathered.extend(self);
        gathered
    }
}

impl<I: Iterator> Gather for I {}
