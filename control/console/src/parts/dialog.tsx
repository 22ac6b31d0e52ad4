// Changes: what is wanted, what ulvsd says would change, and the button that does it.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { sentence } from "../live";
import { sign } from "../diff";

interface ModalProps {
  title: string;
  close: () => void;
  children: ComponentChildren;
}

/** A dialog over the page; Escape closes it. */
export function Modal({ title, close, children }: ModalProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog ref={element} aria-labelledby={id} onClose={close} onCancel={close}>
      <header class="dialog-head">
        <h2 id={id}>{title}</h2>
        <button type="button" class="icon" aria-label="Close" onClick={close}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}

interface ChangeProps {
  title: string;
  /** The word on the button. */
  action: string;
  /** Whether it takes something away. */
  danger?: boolean;
  /** What is wanted, as text: when it changes, ulvsd is asked again what would change. Absent: the form is not filled in yet. */
  wish: string | null;
  /** Does it, or only tells what it would do. */
  make: (dryRun: boolean) => Promise<string[]>;
  close: () => void;
  done: (lines: string[]) => void;
  children?: ComponentChildren;
}

type Preview = { lines: string[] } | { error: string } | undefined;

/** A change with its preview. */
export function Change({ title, action, danger, wish, make, close, done, children }: ChangeProps) {
  const [preview, setPreview] = useState<Preview>();
  const [busy, setBusy] = useState(false);
  const latest = useRef(make);
  latest.current = make;

  useEffect(() => {
    setPreview(undefined);
    if (wish === null) return;
    let current = true;
    const timer = setTimeout(() => {
      latest.current(true).then(
        (lines) => current && setPreview({ lines }),
        (error: unknown) => current && setPreview({ error: sentence(error) }),
      );
    }, 200);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [wish]);

  const ready = preview !== undefined && "lines" in preview && preview.lines.length > 0;
  const submit = (event: Event) => {
    event.preventDefault();
    if (!ready || busy) return;
    setBusy(true);
    make(false).then(
      (lines) => {
        done(lines);
        close();
      },
      (error: unknown) => {
        setBusy(false);
        setPreview({ error: sentence(error) });
      },
    );
  };
  return (
    <Modal title={title} close={close}>
      <form onSubmit={submit}>
        {children && <div class="fields">{children}</div>}
        <Diff
          preview={wish === null ? { lines: [] } : preview}
          waiting={wish === null ? "Fill in what is wanted." : "Nothing would change."}
        />
        <footer class="dialog-foot">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class={danger ? "danger" : "primary"} disabled={!ready || busy}>
            {busy ? "Wait…" : action}
          </button>
        </footer>
      </form>
    </Modal>
  );
}

function Diff({ preview, waiting }: { preview: Preview; waiting: string }) {
  return (
    <div class="diff" role="status" aria-live="polite" aria-label="What would change">
      <p class="diff-title">What would change</p>
      {preview === undefined && <p class="dim">Asking ulvsd…</p>}
      {preview && "error" in preview && <p class="wrong">{preview.error}</p>}
      {preview && "lines" in preview && preview.lines.length === 0 && <p class="dim">{waiting}</p>}
      {preview && "lines" in preview && preview.lines.length > 0 && (
        <ol>
          {preview.lines.map((line) => (
            <li key={line} class={sign(line)}>
              {line}
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

interface FieldProps {
  label: string;
  hint?: string;
  children: ComponentChildren;
}

export function Field({ label, hint, children }: FieldProps) {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
      {hint && <small>{hint}</small>}
    </label>
  );
}
