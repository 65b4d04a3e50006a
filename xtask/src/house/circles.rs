//! Circles in a graph: sets of files each of which needs all others (strongly connected components, by Tarjan).

use std::collections::{BTreeMap, BTreeSet};

/// Each file with the files that it needs.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// The circles of a graph, their files in order.
pub fn find(graph: &Graph) -> Vec<Vec<String>> {
    let mut search = Search {
        graph,
        order: BTreeMap::new(),
        low: BTreeMap::new(),
        stack: Vec::new(),
        circles: Vec::new(),
    };
    for file in graph.keys() {
        if !search.order.contains_key(file.as_str()) {
            search.visit(file);
        }
    }
    search.circles.sort();
    search.circles
}

struct Search<'a> {
    graph: &'a Graph,
    order: BTreeMap<&'a str, usize>,
    low: BTreeMap<&'a str, usize>,
    stack: Vec<&'a str>,
    circles: Vec<Vec<String>>,
}

impl<'a> Search<'a> {
    fn visit(&mut self, file: &'a str) {
        let number = self.order.len();
        self.order.insert(file, number);
        self.low.insert(file, number);
        self.stack.push(file);
        for next in self.graph.get(file).into_iter().flatten() {
            if !self.order.contains_key(next.as_str()) {
                self.visit(next);
                self.lower(file, self.low[next.as_str()]);
            } else if self.stack.contains(&next.as_str()) {
                self.lower(file, self.order[next.as_str()]);
            }
        }
        if self.low[file] == number {
            let mut circle = Vec::new();
            while let Some(member) = self.stack.pop() {
                circle.push(member.to_owned());
                if member == file {
                    break;
                }
            }
            if circle.len() > 1 {
                circle.sort();
                self.circles.push(circle);
            }
        }
    }

    fn lower(&mut self, file: &'a str, to: usize) {
        let low = self.low.entry(file).or_insert(to);
        *low = to.min(*low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_need_each_other_are_a_circle() {
        let edges = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e")];
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph
                .entry(from.to_owned())
                .or_default()
                .insert(to.to_owned());
        }
        assert_eq!(find(&graph), [["a", "b", "c"]]);
    }
}
