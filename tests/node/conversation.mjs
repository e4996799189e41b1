// The conversation in the pictures.

import { writeFile } from 'node:fs/promises';

const NIGHTS = [
  ['Thu', 6.1], ['Fri', 6.3], ['Sat', 6.0], ['Sun', 6.2], ['Mon', 18.4], ['Tue', 19.1], ['Wed', 5.7],
];

/** What a session might have plotted. */
export async function drawChart(browser, file) {
  const [width, height, base] = [560, 116, 92];
  const bars = NIGHTS.map(([day, minutes], index) => {
    const x = 34 + index * 73;
    const length = minutes * 3;
    const colour = minutes > 10 ? '#f0a35e' : index === NIGHTS.length - 1 ? '#7ee0c3' : '#3d8f97';
    return `<rect x="${x}" y="${base - length}" width="46" height="${length}" rx="5" fill="${colour}"/>
      <text x="${x + 23}" y="${base - length - 7}" class="value">${minutes.toFixed(1)}</text>
      <text x="${x + 23}" y="${base + 16}">${day}</text>`;
  });
  const page = await browser.newPage({ viewport: { width, height }, deviceScaleFactor: 2 });
  await page.setContent(`<style>
      body { margin: 0; background: #12303a; }
      svg { display: block; font: 500 12px "Inter", "DejaVu Sans", sans-serif; }
      text { fill: #9fc3c8; text-anchor: middle; }
      .value { fill: #eaf6f6; font-weight: 600; }
      .title { text-anchor: start; }
    </style>
    <svg width="${width}" height="${height}">
      <text x="34" y="24" class="title">Nightly import, minutes</text>
      <path d="M24 ${base}H${width - 20}" stroke="#2b5560"/>
      ${bars.join('')}
    </svg>`);
  await writeFile(file, await page.screenshot());
  await page.close();
}

export async function holdConversation({ writer, server, chart, tell, answer, message }) {
  const question = await tell(writer, server, 'The nightly import has been slow since Monday. Can you find out why?');
  const finding = await answer(writer, server, 'Reading the log of the run, then the query plans.');
  await server.call('edit_message', {
    chat_id: 'web',
    message_id: finding,
    text: 'Migration 42 rebuilt `orders` and **lost an index** on the way. This brings it back:\n\n'
      + '```sql\ncreate index concurrently on orders (customer_id, placed_at);\n```',
  });
  await message(writer, finding).locator('.edited').waitFor();
  await tell(writer, server, 'Good find. Add it, and show me tonight\'s run.');
  const result = 'It is in, as migration 43. Tonight\'s run took **5.7 minutes**, a little less than before.';
  await answer(writer, server, result, { reply_to: question, files: [chart] });
}
