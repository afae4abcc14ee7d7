// Conveniences alone: without this, every page shows and does the same.
'use strict';

// Times are told in UTC, or on the clock of the app's people; here they move to the reader's own.
const ours = new Intl.DateTimeFormat().resolvedOptions().timeZone;
const day = { day: 'numeric', month: 'short', year: 'numeric' };
const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
const said = (at, form) => new Intl.DateTimeFormat('en-GB', form).format(at);
for (const shown of ours === 'UTC' ? [] : document.querySelectorAll('time[datetime]')) {
  const at = new Date(shown.dateTime);
  const short = shown.classList.contains('clock');
  const form = short ? { ...clock, second: '2-digit' } : { ...day, ...clock };
  const zone = { timeZone: 'UTC' };
  const elsewhere = said(at, day) !== said(at, { ...day, ...zone });
  const utc = said(at, { ...(elsewhere && !short ? form : short ? form : clock), ...zone });
  shown.textContent = `${said(at, form)}${short ? '' : ` (${utc} UTC)`}`;
  shown.title = `${said(at, { ...day, ...clock, second: '2-digit', ...zone })} UTC`;
}

// Copying needs a script, so its buttons appear with it.
for (const button of navigator.clipboard ? document.querySelectorAll('button[data-copy]') : []) {
  const label = button.firstChild;
  const before = label.textContent;
  button.hidden = false;
  button.addEventListener('click', async () => {
    let told = 'Copied';
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      told = 'Not allowed';
    }
    label.textContent = told;
    setTimeout(() => { label.textContent = before; }, 2000);
  });
}
