//! `<iothreads>`, `<iothreadids>`, `<defaultiothread>`: kept for the user.

use super::read::{all, number};
use super::shape::{self, Kind, Shape, attr};
use crate::error::Result;
use crate::xml::{Element, Writer};

/// `<defaultiothread>`: kept for the user.
pub(super) fn parse_default(root: &Element) -> Result<Option<Element>> {
    const DEFAULT: Shape = Shape::new(
        "defaultiothread",
        &[attr("thread_pool_min", Kind::Number), attr("thread_pool_max", Kind::Number)],
    );
    let Some(element) = root.child("defaultiothread") else { return Ok(None) };
    let kept = DEFAULT.read(element)?;
    kept.as_ref().map_or(Ok(()), |kept| check_pool(element, kept)).map(|()| kept)
}

/// The smaller number of threads must not be the larger one; without an upper bound libvirt takes
/// any lower one for too large.
fn check_pool(element: &Element, kept: &Element) -> Result<()> {
    let bound = |name| kept.attr(name).and_then(number::<u32>);
    match (bound("thread_pool_min"), bound("thread_pool_max")) {
        (_, Some(0)) => Err(element.unsupported("thread_pool_max must be a positive integer")),
        (Some(min), max) if max.is_none_or(|max| min > max) => Err(element.unsupported(
            "thread_pool_min must be smaller or equal to thread_pool_max, and both be given",
        )),
        _ => Ok(()),
    }
}

/// The most threads a document may have; libvirt has no limit and makes them all.
const MAX_IOTHREADS: usize = 16384;

/// `<iothreads>` and `<iothreadids>`: kept for the user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IoThreads {
    /// Their ids; those the document leaves open are the smallest free numbers.
    pub ids: Vec<u32>,
    /// Their elements, with further attributes; nothing when the document names no id.
    pub named: Vec<Element>,
}

impl IoThreads {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        const THREAD: Shape = Shape::new(
            "iothread",
            &[
                attr("id", Kind::Positive).required(),
                attr("thread_pool_min", Kind::Number),
                attr("thread_pool_max", Kind::Number),
            ],
        );
        let count = count(root)?;
        let mut threads = Self::default();
        for element in all(root, "iothreadids", "iothread") {
            let Some(kept) = THREAD.read(element)? else { continue };
            check_pool(element, &kept)?;
            let id = kept.attr("id").and_then(number).unwrap_or(0);
            if threads.ids.contains(&id) {
                return Err(element.error(format_args!("duplicate iothread id '{id}' found")));
            }
            threads.ids.push(id);
            threads.named.push(kept);
        }
        threads.fill(count);
        Ok(threads)
    }

    fn fill(&mut self, count: usize) {
        let mut next = 1;
        let mut taken: Vec<u32> = self.ids.clone();
        taken.sort_unstable();
        while self.ids.len() < count {
            if taken.binary_search(&next).is_err() {
                self.ids.push(next);
                if !taken.is_empty() {
                    let id = [("id", next.to_string())];
                    self.named.push(shape::element("iothread", &id, Vec::new()));
                }
            }
            next += 1;
        }
    }

    pub(super) fn format(&self, w: &mut Writer) {
        if self.ids.is_empty() {
            return;
        }
        w.leaf("iothreads", &[], &self.ids.len().to_string());
        if self.named.is_empty() {
            return;
        }
        w.open("iothreadids", &[]);
        self.named.iter().for_each(|thread| shape::format(w, thread));
        w.close();
    }
}

fn count(root: &Element) -> Result<usize> {
    let Some(element) = root.child("iothreads") else { return Ok(0) };
    let text = element.text();
    if text.is_empty() {
        return Ok(0);
    }
    number(&text).filter(|&count| count <= MAX_IOTHREADS).ok_or_else(|| {
        element.error(format_args!(
            "invalid iothreads count '{text}': expected a number up to {MAX_IOTHREADS}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};

    #[test]
    fn faults() {
        assert_faults(&[
            (
                "<iothreads>4294967295</iothreads>",
                "XML error: line 2: invalid iothreads count '4294967295': expected a number up to \
                 16384",
            ),
            (
                "<iothreadids><iothread id='5'/>\n<iothread id='5'/></iothreadids>",
                "XML error: line 3: duplicate iothread id '5' found",
            ),
        ]);
    }

    #[test]
    fn open_thread_ids_are_the_smallest_free_ones() {
        let text = "<iothreads>4</iothreads><iothreadids><iothread id='2' thread_pool_min='1' \
                    thread_pool_max='8'/></iothreadids>";
        assert_eq!(parse(text).iothreads.ids, [2, 1, 3, 4]);
        assert_eq!(
            printed(text)[..4],
            [
                "  <iothreads>4</iothreads>",
                "  <iothreadids>",
                "    <iothread id='2' thread_pool_min='1' thread_pool_max='8'/>",
                "    <iothread id='1'/>",
            ]
        );
        assert_eq!(printed("<iothreads>2</iothreads>"), ["  <iothreads>2</iothreads>"]);
    }
}
