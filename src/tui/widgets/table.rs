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
    let mut spare = (u32::from(room) + u32::from(gap)).saturating_sub(needed(&columns)) as u16;
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
}
