//! Which pages of the pool are taken, and by how many.

/// A page of 32 tokens in the KV pool.
pub type PageId = u32;

/// Reference counts of pages. A page is free when nobody holds it.
pub struct PagePool {
    references: Vec<u32>,
    free: Vec<PageId>,
}

impl PagePool {
    /// `pages` free pages.
    ///
    /// # Panics
    /// When there are more than `u32::MAX` pages.
    #[must_use]
    pub fn new(pages: usize) -> Self {
        let count = u32::try_from(pages).expect("page ids are u32");
        Self {
            references: vec![0; pages],
            free: (0..count).rev().collect(),
        }
    }

    /// Pages in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.references.len()
    }

    /// Free pages.
    #[must_use]
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Takes a free page, held once.
    pub fn take(&mut self) -> Option<PageId> {
        let page = self.free.pop()?;
        self.references[page as usize] = 1;
        Some(page)
    }

    /// Holds a taken page once more.
    pub fn retain(&mut self, page: PageId) {
        let count = &mut self.references[page as usize];
        debug_assert!(*count > 0, "only a taken page can be shared");
        *count += 1;
    }

    /// Lets go of a page; it is free when nobody else holds it.
    pub fn release(&mut self, page: PageId) {
        let count = &mut self.references[page as usize];
        debug_assert!(*count > 0, "only a taken page can be released");
        *count -= 1;
        if *count == 0 {
            self.free.push(page);
        }
    }

    /// How many hold a page.
    #[must_use]
    pub fn holders(&self, page: PageId) -> u32 {
        self.references[page as usize]
    }
}
