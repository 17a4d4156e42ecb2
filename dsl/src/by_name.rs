//! Values by name, found in one step and listed in the order of the names.

use rustc_hash::FxHashMap;

/// A map that is read far more often by name than it is listed: every call of an experiment looks its plugin up.
#[derive(Clone, Debug)]
pub struct ByName<V> {
    values: FxHashMap<String, V>,
}

impl<V> Default for ByName<V> {
    fn default() -> Self {
        Self {
            values: FxHashMap::default(),
        }
    }
}

impl<V> ByName<V> {
    /// Adds a value, and returns the one that had the name.
    pub fn insert(&mut self, name: String, value: V) -> Option<V> {
        self.values.insert(name, value)
    }

    /// Removes the value with this name.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        self.values.remove(name)
    }

    /// The value with this name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.values.get(name)
    }

    /// All names and values by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        let values = self.values.iter();
        let mut sorted: Vec<(&str, &V)> = values.map(|(name, value)| (&**name, value)).collect();
        sorted.sort_unstable_by_key(|(name, _)| *name);
        sorted.into_iter()
    }

    /// All values by name.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// All names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_in_the_order_of_names() {
        let mut map = ByName::default();
        for (at, name) in ["window", "bins", "random", "each"].iter().enumerate() {
            assert_eq!(map.insert((*name).to_owned(), at), None);
        }
        assert_eq!(map.insert("bins".to_owned(), 7), Some(1));
        assert_eq!(map.remove("each"), Some(3));
        assert_eq!((map.get("bins"), map.get("each")), (Some(&7), None));
        let listed: Vec<(&str, &usize)> = map.iter().collect();
        assert_eq!(listed, [("bins", &7), ("random", &2), ("window", &0)]);
    }
}
