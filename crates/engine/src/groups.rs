//! Key groups: what a key hashes to, and which task owns it.

use std::ops::Range;
use std::sync::Arc;

use squall_types::KeyGroup;

/// How one component's key groups are dealt to its tasks: contiguous ranges whose sizes differ by at most one.
///
/// The group of a key depends on the number of groups alone, so when the number of tasks changes, whole groups move. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct KeyGroups {
    owners: Arc<[u16]>,
    tasks: u16,
}

impl KeyGroups {
    /// Deals `groups` groups to `tasks` tasks, both at least 1 (0 counts as 1). With fewer groups than tasks, some tasks own none.
    pub fn new(groups: u16, tasks: u16) -> Self {
        let (groups, tasks) = (groups.max(1), tasks.max(1));
        let owners = (0..tasks).flat_map(|task| range(groups, tasks, task).map(move |_| task)).collect();
        Self { owners, tasks }
    }

    /// The number of groups.
    #[inline]
    pub fn groups(&self) -> u16 {
        // `new` makes one owner for each of at most u16::MAX groups.
        self.owners.len() as u16
    }

    /// The number of tasks.
    #[inline]
    pub fn tasks(&self) -> u16 {
        self.tasks
    }

    /// The group of the key with this hash. Takes the hash's upper half, scaled, so that no group is favoured.
    #[inline]
    pub fn group_of(&self, hash: u64) -> KeyGroup {
        KeyGroup::new(scale(hash >> 32, self.owners.len() as u64) as u16)
    }

    /// The key's other choice for a partial key grouping, drawn from the hash's lower half.
    ///
    /// It lies 3/8 to 5/8 of the circle of groups away from the first: with three tasks or more the two always belong to different tasks,
    /// with two tasks they do for 7 keys in 8 (two independent draws: for every other key). Of fewer than two groups it is the first.
    #[inline]
    pub fn second_group_of(&self, hash: u64) -> KeyGroup {
        let groups = self.owners.len() as u64;
        let nearest = (groups * 3 / 8).max(1);
        let offset = nearest + scale(hash & u64::from(u32::MAX), (groups / 4).max(1));
        let second = u64::from(self.group_of(hash).get()) + offset;
        KeyGroup::new((if second >= groups { second - groups } else { second }) as u16)
    }

    /// The task that owns a group, counted from 0 within the component. A group that does not exist belongs to the last task.
    #[inline]
    pub fn task_of(&self, group: KeyGroup) -> u16 {
        self.owners.get(group.index()).copied().unwrap_or(self.tasks - 1)
    }

    /// The groups that a task owns. None for a task that does not exist.
    pub fn groups_of(&self, task: u16) -> Range<u16> {
        if task < self.tasks { range(self.groups(), self.tasks, task) } else { self.groups()..self.groups() }
    }
}

/// Maps 32 bits onto `0..n` by multiplying and shifting.
#[inline]
fn scale(bits: u64, n: u64) -> u64 {
    (bits * n) >> 32
}

fn range(groups: u16, tasks: u16, task: u16) -> Range<u16> {
    let start = |task: u32| (task * u32::from(groups) / u32::from(tasks)) as u16;
    start(u32::from(task))..start(u32::from(task) + 1)
}

/// One sender's side of a partial key grouping: each key has two groups, and a row goes to the one whose task was sent less.
///
/// What counts is what this sender has sent; senders do not tell each other, and need not.
#[derive(Clone, Debug)]
pub struct PartialKey {
    groups: KeyGroups,
    sent: Box<[u64]>,
}

impl PartialKey {
    /// A sender that has sent nothing yet.
    pub fn new(groups: KeyGroups) -> Self {
        let sent = vec![0; usize::from(groups.tasks())].into();
        Self { groups, sent }
    }

    /// The group for a row whose key has this hash; counts the row as sent. Equal tasks: the key's first group.
    #[inline]
    pub fn pick(&mut self, hash: u64) -> KeyGroup {
        let (first, second) = (self.groups.group_of(hash), self.groups.second_group_of(hash));
        let (one, other) = (self.task_index(first), self.task_index(second));
        let (group, task) = if self.sent[other] < self.sent[one] { (second, other) } else { (first, one) };
        self.sent[task] += 1;
        group
    }

    /// The groups, and who owns them.
    pub fn groups(&self) -> &KeyGroups {
        &self.groups
    }

    #[inline]
    fn task_index(&self, group: KeyGroup) -> usize {
        usize::from(self.groups.task_of(group))
    }
}

#[cfg(test)]
mod tests;
