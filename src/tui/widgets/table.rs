//! Which columns of a table fit, and how wide each is.

/// A column that wants to be shown.
#[derive(Debug, Clone)]
pub struct Column<K> {
    /// What it shows.
    pub kind: K,
    /// Its title.
    pub title: String,
    /// Columns it needs.
    pub width: u16,
    /// Columns it may grow to.
    pub most: u16,
    /// Numbers end at the right.
    pub right: bool,
    /// The lower, the longer it stays when room gets short.
    pub rank: u8,
}

/// A column with its place.
#[derive(Debug)]
pub struct Placed<K> {
    /// The column.
    pub column: Column<K>,
    /// Its first terminal column, from the table's left edge.
    pub x: u16,
    /// What it got.
    pub width: u16,
}

/// Places the columns that fit into `room`, in their order; those of the highest rank go first.
/// What room is left goes to those that may grow.
pub fn place<K>(mut columns: Vec<Column<K>>, room: u16, gap: u16) -> Vec<Placed<K>> {
    let needed = |columns: &[Column<K>]| -> u32 {
        columns.iter().map(|c| u32::from(c.width) + u32::from(gap)).sum::<u32>()
    };
    while needed(&columns) > u32::from(room) + u32::from(gap) {
        let last = columns.iter().enumerate().max_by_key(|(i, c)| (c.rank, *i)).map(|(i, _)| i);
        match last {
            Some(i) if columns.len() > 1 => drop(columns.remove(i)),
            _ => break,
        }
    }
    grown(columns, room, gap)
}

/// Places the first `frozen` columns, and the others from `left` on, as far as there is room; says how many are out
/// of view on either side. Nothing is scrolled further than to the last column.
pub fn scroll<K>(
    mut columns: Vec<Column<K>>,
    frozen: usize,
    left: usize,
    room: u16,
    gap: u16,
) -> (Vec<Placed<K>>, usize, usize) {
    let space = u32::from(room) + u32::from(gap);
    let taken = |columns: &[Column<K>]| -> u32 {
        columns.iter().map(|c| u32::from(c.width) + u32::from(gap)).sum()
    };
    let mut before = 0;
    while before < left && columns.len() > frozen + 1 && taken(&columns) > space {
        columns.remove(frozen);
        before += 1;
    }
    let mut after = 0;
    while taken(&columns) > space && columns.len() > 1 {
        columns.pop();
        after += 1;
    }
    (grown(columns, room, gap), before, after)
}

/// Places these columns; what room is left goes to those that may grow.
fn grown<K>(columns: Vec<Column<K>>, room: u16, gap: u16) -> Vec<Placed<K>> {
    let needed: u32 = columns.iter().map(|c| u32::from(c.width) + u32::from(gap)).sum();
    let mut spare = (u32::from(room) + u32::from(gap)).saturating_sub(needed) as u16;
    let mut x = 0;
    let mut placed = Vec::with_capacity(columns.len());
    for column in columns {
        let grown = column.most.saturating_sub(column.width).min(spare);
        spare -= grown;
        let width = column.width + grown;
        placed.push(Placed { column, x, width });
        x += width + gap;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: char, width: u16, most: u16, rank: u8) -> Column<char> {
        Column { kind, title: String::new(), width, most, right: false, rank }
    }

    #[test]
    fn columns_go_by_rank_and_grow_into_what_is_left() {
        let all = || vec![column('a', 4, 4, 0), column('b', 6, 20, 1), column('c', 5, 5, 2)];
        let show = |room| {
            place(all(), room, 1)
                .into_iter()
                .map(|p| (p.column.kind, p.x, p.width))
                .collect::<Vec<_>>()
        };
        assert_eq!(show(17), [('a', 0, 4), ('b', 5, 6), ('c', 12, 5)]);
        assert_eq!(show(20), [('a', 0, 4), ('b', 5, 9), ('c', 15, 5)]);
        assert_eq!(show(16), [('a', 0, 4), ('b', 5, 11)]);
        assert_eq!(show(6), [('a', 0, 4)]);
        assert_eq!(show(0), [('a', 0, 4)]);
    }

    #[test]
    fn columns_scroll_past_those_that_stay() {
        let all = || ('a'..='e').map(|kind| column(kind, 4, 4, 0)).collect::<Vec<_>>();
        let show = |left, room| {
            let (placed, before, after) = scroll(all(), 1, left, room, 1);
            let kinds: String = placed.iter().map(|p| p.column.kind).collect();
            (kinds, before, after)
        };
        assert_eq!(show(0, 24), ("abcde".into(), 0, 0));
        assert_eq!(show(0, 14), ("abc".into(), 0, 2));
        assert_eq!(show(1, 14), ("acd".into(), 1, 1));
        assert_eq!(show(2, 14), ("ade".into(), 2, 0));
        assert_eq!(show(9, 14), ("ade".into(), 2, 0));
        assert_eq!(show(3, 24), ("abcde".into(), 0, 0));
        assert_eq!(show(9, 3), ("a".into(), 3, 1));
    }
}
