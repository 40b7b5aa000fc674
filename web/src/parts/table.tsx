// A table of figures: the first column is what a row is about, numbers stand to the right.

import type { ComponentChildren } from "preact";

export interface Column<Row> {
  head: string;
  cell: (row: Row) => ComponentChildren;
  /** Words, which stand to the left. */
  words?: boolean;
  /** What the column means, shown on its head. */
  hint?: string;
}

interface Props<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  /** Marks a row. */
  mark?: (row: Row) => string;
}

export function Table<Row>({ caption, columns, rows, mark }: Props<Row>) {
  return (
    <div class="scroll" role="group" aria-label={caption} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th scope="col" key={column.head} class={column.words ? "words" : ""} title={column.hint}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at} class={mark?.(row) ?? ""}>
              {columns.map((column, place) =>
                place === 0 ? (
                  <th scope="row" key={column.head}>
                    {column.cell(row)}
                  </th>
                ) : (
                  <td key={column.head} class={column.words ? "words" : ""}>
                    {column.cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
