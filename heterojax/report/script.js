// What the page can do besides being read; without it nothing is missing.

// Tables are sorted by a click on a head: up, down, as they were.
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0], before = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const text = row => row.cells[column].innerText.trim().replace('−', '-');
    const number = row => parseFloat(text(row).replace(/^[<>+] ?|,/g, ''));
    const numbers = before.filter(row => !isNaN(number(row))).length > before.length / 2;
    const button = document.createElement('button');
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const was = head.getAttribute('aria-sort');
      heads.forEach(other => other.removeAttribute('aria-sort'));
      const now = { ascending: 'descending', descending: null }[was];
      const order = now === undefined ? 'ascending' : now;
      if (order) head.setAttribute('aria-sort', order);
      const sign = order === 'descending' ? -1 : 1;
      const compared = (a, b) => {
        if (!numbers) return sign * text(a).localeCompare(text(b), 'en', { numeric: true });
        const [x, y] = [number(a), number(b)];
        // What is not known stands last, whichever way.
        return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
      };
      body.append(...(order ? [...before].sort(compared) : before));
    };
  });
}

// A figure is shown as SVG already, which need not be in the page twice.
for (const figure of document.querySelectorAll('figure.drawn')) {
  const png = figure.querySelector('a'), link = png.cloneNode();
  link.textContent = 'SVG';
  link.href = figure.querySelector('img').src;
  link.download = png.download.replace(/png$/, 'svg');
  png.after(' ', link);
}

// What fits need not be reached by the keyboard.
const fits = new ResizeObserver(boxes => boxes.forEach(({ target }) => {
  if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
  else target.removeAttribute('tabindex');
}));
document.querySelectorAll('.scroll').forEach(box => fits.observe(box));

// Where there is room for the contents beside the text, they are open.
const wide = matchMedia('(min-width: 78rem)'), contents = document.querySelector('nav details');
wide.onchange = () => { contents.open = wide.matches; };
wide.onchange();
