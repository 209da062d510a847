/**
 * The catalogue. Adding a book fails half of the time on purpose (FAILURE_RATE, 0 to 1, default 0.5), before
 * anything is stored: with a retry in the mesh the reader sees the rate of success rise.
 */
import { serve } from "./service.ts";

interface Book {
  readonly id: string;
  readonly title: string;
  readonly author: string;
  readonly year: number;
}

const failureRate = Number(process.env.FAILURE_RATE ?? 0.5);
/** Old additions leave first, so that a long demo does not grow without end. */
const maxAdded = 100;

const shelf: readonly Book[] = [
  { id: "1", title: "Notes on an Engine", author: "a1", year: 1843 },
  { id: "2", title: "The First Compiler", author: "a2", year: 1952 },
  { id: "3", title: "A Ladder of Stars", author: "a3", year: 1912 },
  { id: "4", title: "Automatic Indexing", author: "a4", year: 1972 },
];
const added: Book[] = [];
let nextId = shelf.length + 1;

function addBook(body: string): { status: number; body: unknown } {
  let wanted: unknown;
  try {
    wanted = JSON.parse(body);
  } catch {
    return { status: 400, body: { error: "the body is not JSON" } };
  }
  const { title, author } = (wanted ?? {}) as { title?: unknown; author?: unknown };
  if (typeof title !== "string" || title === "" || typeof author !== "string") {
    return { status: 400, body: { error: "a book needs a title and the id of an author" } };
  }
  if (Math.random() < failureRate) return { status: 500, body: { error: "the catalogue is having a bad day" } };
  const book: Book = { id: String(nextId++), title, author, year: new Date().getFullYear() };
  added.push(book);
  if (added.length > maxAdded) added.shift();
  return { status: 201, body: book };
}

serve("books", (call) => {
  if (/^\/books\/?(\?|$)/.test(call.path)) {
    if (call.method === "POST") return addBook(call.body);
    if (call.method === "GET") return { status: 200, body: shelf };
    return { status: 405, body: { error: `${call.method} is not for the whole catalogue` } };
  }
  const id = /^\/books\/([^/?]+)/.exec(call.path)?.[1];
  if (call.method === "DELETE") {
    const index = added.findIndex((book) => book.id === id);
    if (index >= 0) added.splice(index, 1);
    return { status: index >= 0 ? 200 : 404, body: { deleted: index >= 0 ? 1 : 0 } };
  }
  const book = [...shelf, ...added].find((candidate) => candidate.id === id);
  return book === undefined ? { status: 404, body: { error: `no book at ${call.path}` } } : { status: 200, body: book };
});
