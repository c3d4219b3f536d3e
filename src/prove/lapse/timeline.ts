// A replay as a picture: one line a partition, from when it was made ahead of its time to when its last row was gone.
// Self-contained SVG 1.1: no script, no style sheet, no font of its own.

/** The life of one partition; times of the simulated clock. */
export interface Life {
  readonly name: string;
  /** The range of its rows' times. */
  readonly from: Date;
  readonly to: Date;
  /** When it was first seen. */
  readonly madeAt: Date;
  /** When it was first seen out of its table, and first seen nowhere; absent: it has not happened. */
  readonly leftAt?: Date;
  readonly goneAt?: Date;
  /** Whether it was in an archive after it had left. */
  readonly archived: boolean;
}

/** The partitions of one relation. */
export interface Track {
  readonly relation: string;
  readonly lives: readonly Life[];
}

/** Something that happened to the database meanwhile: a point, or a stretch. */
export interface Mark {
  readonly from: Date;
  readonly to?: Date;
  readonly text: string;
}

/** What is drawn. */
export interface Picture {
  readonly title: string;
  readonly from: Date;
  readonly to: Date;
  readonly tracks: readonly Track[];
  readonly marks: readonly Mark[];
}

const WIDTH = 1200;
const LEFT = 190;
const RIGHT = 30;
const TOP = 92;
const GAP = 34;
const TALL_ROW = 11;
const FLAT_ROW = 3;
// More partitions than this get lines too thin for a name.
const NAMED_AT_MOST = 80;
const COLOURS = {
  ahead: '#b9d3ee',
  online: '#2b6cb0',
  archived: '#c98a2b',
  gone: '#8a8f98',
  mark: '#c53030',
};
const FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"';

interface Scale {
  readonly x: (at: Date) => number;
}

/** The picture as the text of an SVG file. */
export function timeline(picture: Picture): string {
  const scale = scaleOf(picture);
  const parts: string[] = [];
  let top = TOP;
  for (const track of picture.tracks) {
    const height = rowHeight(track) * Math.max(1, track.lives.length);
    parts.push(...drawTrack(track, { scale, top, picture }));
    top += height + GAP;
  }
  const height = top + 10;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ${FONT} role="img">`,
    `<title>${escape(picture.title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(picture.title, { x: 20, y: 32, size: 18, colour: '#1a202c', weight: 600 }),
    ...legend(),
    ...axis(picture, scale, top - GAP + 8),
    ...parts,
    ...picture.marks.flatMap((mark) => drawMark(mark, scale, top - GAP + 8)),
    '</svg>',
    '',
  ].join('\n');
}

function scaleOf({ from, to }: Picture): Scale {
  const span = Math.max(1, to.getTime() - from.getTime());
  const inner = WIDTH - LEFT - RIGHT;
  const x = (at: Date): number => {
    const share = (at.getTime() - from.getTime()) / span;
    return LEFT + inner * Math.min(1, Math.max(0, share));
  };
  return { x };
}

function rowHeight(track: Track): number {
  return track.lives.length > NAMED_AT_MOST ? FLAT_ROW : TALL_ROW;
}

function legend(): string[] {
  const entries = [
    ['ahead', 'made ahead of its time'],
    ['online', 'online'],
    ['archived', 'archived'],
    ['gone', 'gone'],
  ] as const;
  return entries.flatMap(([kind, said], at) => {
    const x = 20 + at * 190;
    const shape =
      kind === 'gone'
        ? goneAt(x + 11, 48, 10)
        : `<rect x="${x}" y="48" width="22" height="10" rx="2" fill="${COLOURS[kind]}"/>`;
    return [shape, text(said, { x: x + 28, y: 57, size: 12, colour: '#4a5568' })];
  });
}

function axis({ from, to }: Picture, { x }: Scale, bottom: number): string[] {
  const drawn: string[] = [];
  const months = (to.getTime() - from.getTime()) / 86_400_000 / 30;
  const step = months > 18 ? 3 : 1;
  const first = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1));
  for (let at = first; at <= to; at = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1))) {
    const month = at.getUTCMonth();
    if (month % step !== 0) continue;
    const year = month === 0;
    const left = round(x(at));
    drawn.push(
      `<line x1="${left}" y1="${TOP - 14}" x2="${left}" y2="${bottom}" stroke="${year ? '#a0aec0' : '#e2e8f0'}"/>`,
      text(year ? String(at.getUTCFullYear()) : at.toISOString().slice(0, 7), {
        x: left + 3,
        y: TOP - 16,
        size: 10,
        colour: '#718096',
        weight: year ? 600 : 400,
      }),
    );
  }
  return drawn;
}

interface Ground {
  readonly scale: Scale;
  readonly top: number;
  readonly picture: Picture;
}

function drawTrack(track: Track, { scale, top, picture }: Ground): string[] {
  const height = rowHeight(track);
  const named = height === TALL_ROW;
  const drawn = [text(track.relation, { x: 20, y: top - 6, size: 13, colour: '#1a202c', weight: 600 })];
  track.lives.forEach((life, at) => {
    const y = top + at * height;
    const bars = phases(life, picture).map(({ kind, from, to }) => {
      const left = round(scale.x(from));
      const width = round(Math.max(0.5, scale.x(to) - scale.x(from)));
      const said = `${life.name}: ${kind} ${day(from)} to ${day(to)}`;
      return `<rect x="${left}" y="${y + 1}" width="${width}" height="${height - 2}" fill="${COLOURS[kind]}"><title>${escape(said)}</title></rect>`;
    });
    drawn.push(...bars);
    if (named)
      drawn.push(
        text(life.name.slice(life.name.indexOf('.') + 1), {
          x: 20,
          y: y + height - 2,
          size: 9,
          colour: '#4a5568',
        }),
      );
    if (life.goneAt !== undefined) drawn.push(goneAt(round(scale.x(life.goneAt)), y + 1, height - 2));
  });
  return drawn;
}

interface Phase {
  readonly kind: 'ahead' | 'online' | 'archived';
  readonly from: Date;
  readonly to: Date;
}

function phases(life: Life, picture: Picture): Phase[] {
  const end = life.goneAt ?? picture.to;
  const left = life.leftAt ?? end;
  const all: Phase[] = [
    { kind: 'ahead', from: life.madeAt, to: earlier(life.from, left) },
    { kind: 'online', from: later(life.madeAt, life.from), to: left },
    { kind: 'archived', from: left, to: life.archived ? end : left },
  ];
  return all.filter(({ from, to }) => from < to && from < picture.to);
}

function goneAt(x: number, y: number, height: number): string {
  return `<line x1="${x}" y1="${y}" x2="${x}" y2="${y + height}" stroke="${COLOURS.gone}" stroke-width="2"/>`;
}

function drawMark({ from, to, text: said }: Mark, { x }: Scale, bottom: number): string[] {
  const left = round(x(from));
  const title = `<title>${escape(`${said}, ${day(from)}${to === undefined ? '' : ` to ${day(to)}`}`)}</title>`;
  if (to === undefined) {
    return [`<path d="M ${left} ${TOP - 6} l -4 -8 l 8 0 z" fill="${COLOURS.mark}">${title}</path>`];
  }
  const width = round(x(to) - x(from));
  return [
    `<rect x="${left}" y="${TOP - 14}" width="${width}" height="${bottom - TOP + 14}" fill="${COLOURS.mark}" fill-opacity="0.12">${title}</rect>`,
    text(said, { x: left + 3, y: TOP - 2, size: 10, colour: COLOURS.mark }),
  ];
}

interface Lettering {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly colour: string;
  readonly weight?: number;
}

function text(said: string, { x, y, size, colour, weight }: Lettering): string {
  const bold = weight === undefined ? '' : ` font-weight="${weight}"`;
  return `<text x="${x}" y="${y}" font-size="${size}" fill="${colour}"${bold}>${escape(said)}</text>`;
}

/** Text fit for XML 1.0: markup escaped, control characters that no XML may hold replaced. */
function escape(said: string): string {
  return said
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD]/gu, '\uFFFD');
}

function day(at: Date): string {
  return at.toISOString().slice(0, 10);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function earlier(one: Date, other: Date): Date {
  return one < other ? one : other;
}

function later(one: Date, other: Date): Date {
  return one > other ? one : other;
}
