'use strict';

// Data of events only ever becomes text (textContent): a publisher must not be able to write markup into this page.

const mostRows = 500;
const mostText = 4000;
const mostStreams = 500;
const refreshEvery = 3000;
const mostOwners = 100;

const part = id => document.getElementById(id);
const tail = part('tail');

let stream = null;
let source = null;
let rows = [];
let isDrawing = false;
let counted = 0;

// ---- The tail

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function row(kind, time, seq, type, text) {
  const item = document.createElement('li');
  item.className = kind;
  const shown = text.length > mostText ? `${text.slice(0, mostText)} … (${text.length} characters)` : text;
  const when = element('time', clock(time));
  if (time) when.dateTime = time;
  item.append(when, element('span', seq, 'seq'), element('span', type, 'type'), element('span', shown));
  return item;
}

function clock(time) {
  const date = time ? new Date(time) : new Date();
  if (Number.isNaN(date.getTime())) return '';
  return date.toLocaleTimeString(undefined, { hour12: false }) + '.' + String(date.getMilliseconds()).padStart(3, '0');
}

// Rows are put into the page once a frame, so that a flood costs one layout a frame and not one an event.
function show(item) {
  rows.push(item);
  if (rows.length > mostRows) rows.splice(0, rows.length - mostRows);
  if (isDrawing) return;
  isDrawing = true;
  // Hidden pages get no animation frames; the timer keeps what waits from standing still there.
  if (document.hidden) setTimeout(draw, 250);
  else requestAnimationFrame(draw);
}

function draw() {
  isDrawing = false;
  tail.append(...rows);
  rows = [];
  while (tail.childElementCount > mostRows) tail.firstElementChild.remove();
  if (part('follow').checked) tail.scrollTop = tail.scrollHeight;
  part('counts').textContent = counted === 0 ? '' : `${counted.toLocaleString()} events since this page opened it`;
}

function parse(message) {
  try {
    const read = JSON.parse(message.data);
    return read !== null && typeof read === 'object' ? read : { data: read };
  } catch {
    return { data: message.data };
  }
}

function onEvent(message) {
  const event = parse(message);
  counted++;
  // A process's output is read as text.
  const isLog = event.type === 'log_entry' && typeof event.data?.content === 'string';
  const name = isLog ? String(event.data.type ?? event.type) : String(event.type ?? '');
  const type = event.attempt > 1 ? `${name} (attempt ${event.attempt})` : name;
  show(row(event.critical ? 'critical' : '', event.time, event.seq === undefined ? '' : `#${event.seq}`, type,
    isLog ? event.data.content : JSON.stringify(event.data) ?? ''));
}

const frames = {
  connected: frame => `connected to ${[].concat(frame.streams ?? frame.stream ?? stream).join(', ')}`,
  heartbeat: frame => `${frame.clients ?? '?'} connected`,
  gap: frame => `${frame.missed ?? 'An unknown number of'} events may be missing here (${frame.reason})`,
  problem: frame => `${frame.code}: ${frame.message ?? ''}${frame.details ? ` – ${JSON.stringify(frame.details)}` : ''}`,
  end: frame => `the stream has ended (${frame.reason})`,
};

function onFrame(name, message) {
  const frame = parse(message);
  show(row(`frame ${name}`, frame.timestamp ?? frame.time, '', name, frames[name](frame)));
  if (name === 'connected') say('open', `live: ${stream}`);
  if (name === 'end') disconnect(`ended: ${stream}`);
}

// ---- The connection

function say(state, text) {
  const shown = part('state');
  if (shown.dataset.state === state && shown.textContent === text) return;
  shown.dataset.state = state;
  shown.textContent = text;
  part('again').hidden = state !== 'closed';
}

function disconnect(text) {
  source?.close();
  source = null;
  say('closed', text);
}

function connect() {
  source?.close();
  say('connecting', `connecting: ${stream}`);
  const opened = source = new EventSource(`/api/streams/${encodeURIComponent(stream)}/events`);
  opened.onopen = () => say('open', `live: ${stream}`);
  opened.onmessage = onEvent;
  opened.onerror = () => {
    if (opened !== source) return;
    if (opened.readyState === EventSource.CLOSED) disconnect(`closed: ${stream}`);
    else say('connecting', `reconnecting: ${stream}`);
  };
  for (const name of Object.keys(frames))
    opened.addEventListener(name, message => { if (opened === source) onFrame(name, message); });
}

function choose(name) {
  stream = name;
  counted = 0;
  rows = [];
  tail.replaceChildren();
  part('counts').textContent = '';
  part('tail-title').textContent = `Tail of ${name}`;
  document.title = `${name} – OrleansEvents`;
  connect();
  mark();
}

function fromAddress() {
  const name = new URLSearchParams(location.hash.slice(1)).get('stream');
  if (name && name !== stream) choose(name);
}

const addressOf = name => `#stream=${encodeURIComponent(name)}`;

// ---- The list of streams

function mark() {
  for (const link of part('streams').querySelectorAll('a'))
    link.setAttribute('aria-current', String(link.dataset.stream === stream));
}

function link(found) {
  const item = document.createElement('li');
  const anchor = document.createElement('a');
  const name = found.stream ?? found.name;
  anchor.href = addressOf(name);
  anchor.dataset.stream = name;
  const count = found.events ?? found.count;
  const figures = [found.completed ? 'ended' : count, found.node].filter(each => each !== undefined).join(' · ');
  anchor.append(element('span', name), element('span', figures, 'quiet'));
  item.append(anchor);
  return item;
}

// ---- The nodes of a cluster; a server of one process has none

let hasNodes;

function nodeRow(node) {
  const item = document.createElement('li');
  const figures = node.role === undefined ? node.state
    : `${node.state}, ${node.role === 'edge' ? 'edge' : `${node.streams} streams`}, ${node.connections} connected`;
  item.append(element('span', node.node), element('span', figures, 'quiet'));
  return item;
}

async function read(path) {
  const answer = await fetch(path, { cache: 'no-store' });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function refreshNodes() {
  const { nodes } = await read('/api/admin/nodes');
  hasNodes = nodes.length > 0;
  part('cluster').hidden = !hasNodes;
  part('nodes').replaceChildren(...nodes.map(nodeRow));
}

// The owners of the first streams in the list; without them the list is as it was.
async function withOwners(streams) {
  if (hasNodes === false) return streams;
  try {
    await refreshNodes();
    if (!hasNodes) return streams;
    const { streams: owned } = await read(`/api/admin/streams?limit=${mostOwners}`);
    const nodes = new Map(owned.map(each => [each.stream, each.node]));
    return streams.map(each => ({ ...each, node: nodes.get(each.stream) }));
  } catch {
    return streams;
  }
}

// ---- Both again and again

async function refresh() {
  try {
    const answer = await fetch(`/api/streams?limit=${mostStreams}`, { cache: 'no-store' });
    const page = await answer.json();
    if (!answer.ok) throw new Error(page.detail ?? page.title);
    page.streams = await withOwners(page.streams);
    const list = part('streams');
    const signature = JSON.stringify(page.streams);
    // Untouched while nothing changed, so that the keyboard's place in the list is kept.
    if (list.dataset.signature !== signature) {
      const focused = document.activeElement?.dataset?.stream;
      list.dataset.signature = signature;
      list.replaceChildren(...page.streams.map(link));
      mark();
      if (focused) [...list.querySelectorAll('a')].find(a => a.dataset.stream === focused)?.focus();
    }
    part('streams-note').textContent = page.streams.length === 0 ? 'None yet: publish something.'
      : page.more ? `the first ${mostStreams}; open others by name` : '';
  } catch (failure) {
    part('streams-note').textContent = `The list cannot be read: ${failure.message}`;
  } finally {
    setTimeout(refresh, document.hidden ? refreshEvery * 5 : refreshEvery);
  }
}

// ---- Publishing

function answered(isRefused, text) {
  const shown = part('answer');
  shown.hidden = false;
  shown.className = isRefused ? 'refused' : '';
  shown.textContent = text;
}

async function publish() {
  const event = { type: part('publish-type').value };
  try {
    event.data = JSON.parse(part('publish-data').value);
  } catch (failure) {
    return answered(true, `The data is not JSON: ${failure.message}`);
  }
  if (part('publish-critical').checked) event.critical = true;
  if (!stream) location.hash = addressOf('hello');
  fromAddress();
  part('publish-send').disabled = true;
  try {
    const answer = await fetch(`/api/streams/${encodeURIComponent(stream)}/events`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(event),
    });
    const said = await answer.text();
    answered(!answer.ok, `${answer.status} ${pretty(said)}`);
  } catch (failure) {
    answered(true, `No answer: ${failure.message}`);
  } finally {
    part('publish-send').disabled = false;
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// ---- What the reader of the page does

part('open').addEventListener('submit', submit => {
  submit.preventDefault();
  location.hash = addressOf(part('open-name').value.trim());
});
part('publish').addEventListener('submit', submit => {
  submit.preventDefault();
  publish();
});
part('clear').addEventListener('click', () => tail.replaceChildren());
part('again').addEventListener('click', connect);
part('frames').addEventListener('change', change =>
  tail.classList.toggle('hide-heartbeats', !change.target.checked));
addEventListener('hashchange', fromAddress);

fromAddress();
refresh();
