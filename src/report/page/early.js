try {
  const theme = localStorage.getItem('colloquy.theme');
  if (theme) document.documentElement.dataset.theme = theme;
} catch { /* a page from a disk may have no storage */ }
document.documentElement.classList.add('script');
