//! Depth-first order of a directed graph, without recursion.

/// Every node after the nodes it points to, and every cycle met on the way.
///
/// The order holds but for the edges that close a cycle.
pub fn order(edges: &[Vec<usize>]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut state = vec![Visit::New; edges.len()];
    let mut done = Vec::with_capacity(edges.len());
    let mut cycles = Vec::new();
    for root in 0..edges.len() {
        if state[root] != Visit::New {
            continue;
        }
        let mut path = vec![(root, 0)];
        state[root] = Visit::Open;
        while let Some((node, next)) = path.last_mut() {
            let Some(&target) = edges[*node].get(*next) else {
                state[*node] = Visit::Done;
                done.push(*node);
                path.pop();
                continue;
            };
            *next += 1;
            match state[target] {
                Visit::Done => {}
                Visit::New => {
                    state[target] = Visit::Open;
                    path.push((target, 0));
                }
                Visit::Open => cycles.push(
                    path.iter()
                        .map(|(node, _)| *node)
                        .skip_while(|node| *node != target)
                        .collect(),
                ),
            }
        }
    }
    (done, cycles)
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn what_is_pointed_to_comes_first() {
        let (done, cycles) = order(&[vec![2], vec![0], vec![]]);
        assert_eq!(done, [2, 0, 1]);
        assert!(cycles.is_empty());
    }

    #[test]
    fn cycles_are_listed() {
        let (_, cycles) = order(&[vec![1], vec![2], vec![1], vec![3]]);
        assert_eq!(cycles, [vec![1, 2], vec![3]]);
    }
}
